"""What was measured once is known afterwards, as long as it is true."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from measured import MACHINE, measurement

from streamsep.errors import OutputError
from streamsep.measuring import KeptMeasurements

if TYPE_CHECKING:
    from pathlib import Path

LATER = datetime(2025, 2, 1, tzinfo=UTC)


@pytest.fixture
def kept(tmp_path: Path) -> KeptMeasurements:
    return KeptMeasurements(tmp_path / "bench")


def test_nothing_is_known_at_first_and_nothing_is_made(tmp_path: Path) -> None:
    assert KeptMeasurements(tmp_path / "bench").of(MACHINE) == []
    assert not list(tmp_path.iterdir())


def test_what_is_kept_is_found_the_oldest_first(kept: KeptMeasurements) -> None:
    newer, older = measurement(preset="studio", measured=LATER), measurement()
    kept.keep(newer)
    kept.keep(older)
    assert kept.of(MACHINE) == [older, newer]


def test_the_same_again_replaces_it(kept: KeptMeasurements, tmp_path: Path) -> None:
    kept.keep(measurement(rtf=0.9))
    again = measurement(rtf=0.5, measured=LATER, threads=1)
    kept.keep(again)
    assert kept.of(MACHINE) == [again]
    assert len(list((tmp_path / "bench").iterdir())) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"model": "another"},
        {"model_file": "/elsewhere/net.safetensors"},
        {"preset": "studio"},
        {"hop": 4096},
        {"device": "a GPU"},
        {"incremental": False},
    ],
)
def test_another_measurement_stands_beside_it(
    kept: KeptMeasurements, changed: dict[str, object]
) -> None:
    kept.keep(measurement())
    kept.keep(measurement(**changed))
    assert len(kept.of(MACHINE)) == 2


@pytest.mark.parametrize(
    "changed", [{"torch": "2.12.0"}, {"processor": "slide rule"}, {"cores": 4}, {"streamsep": "9"}]
)
def test_another_machine_or_version_finds_nothing(
    kept: KeptMeasurements, changed: dict[str, object]
) -> None:
    kept.keep(measurement())
    assert kept.of(MACHINE.model_copy(update=changed)) == []


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe", b"{}", b'{"machine": 1}'])
def test_a_damaged_file_is_left_out(kept: KeptMeasurements, tmp_path: Path, damage: bytes) -> None:
    whole = measurement(preset="studio")
    kept.keep(measurement())
    (path,) = (tmp_path / "bench").iterdir()
    kept.keep(whole)
    path.write_bytes(damage)
    assert kept.of(MACHINE) == [whole]


def test_what_cannot_be_kept_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "bench").write_text("a file")
    with pytest.raises(OutputError, match="--cache-dir"):
        KeptMeasurements(tmp_path / "bench").keep(measurement())
    assert [path.name for path in tmp_path.iterdir()] == ["bench"]
