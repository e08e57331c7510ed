"""What was measured once is known afterwards, as long as it is true."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from measured import MACHINE, measurement

from streamsep.errors import OutputError
from streamsep.measuring import KeptMeasurements, fingerprint
from streamsep.measuring.recorded_names import path_text

if TYPE_CHECKING:
    from pathlib import Path

    from streamsep.measuring import Measurement

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


def of_files(folder: Path, *names: str) -> Measurement:
    """Measured of files that are there, the first of which is the network's own."""
    paths = [folder / name for name in names]
    for path in paths:
        path.write_text("weights")
    first, *others = map(path_text, paths)
    return measurement(model_file=first, member_files=tuple(others), fingerprint=fingerprint(paths))


@pytest.mark.parametrize("which", ["bag.yaml", "member.safetensors"])
def test_figures_of_a_network_that_has_changed_are_not_believed(
    kept: KeptMeasurements, tmp_path: Path, which: str
) -> None:
    held = of_files(tmp_path, "bag.yaml", "member.safetensors")
    kept.keep(held)
    assert kept.of(MACHINE) == [held]
    (tmp_path / which).write_text("other weights")
    assert kept.of(MACHINE) == []


def test_measured_anew_a_network_that_has_changed_replaces_itself(
    kept: KeptMeasurements, tmp_path: Path
) -> None:
    kept.keep(of_files(tmp_path, "net.safetensors"))
    (tmp_path / "net.safetensors").unlink()
    again = of_files(tmp_path, "net.safetensors")
    kept.keep(again)
    assert kept.of(MACHINE) == [again]
    assert len(list((tmp_path / "bench").iterdir())) == 1


def test_what_an_older_version_has_kept_is_left_out(kept: KeptMeasurements, tmp_path: Path) -> None:
    kept.keep(measurement())
    (path,) = (tmp_path / "bench").iterdir()
    record = json.loads(path.read_text())
    for fact in ("member_files", "fingerprint"):
        del record[fact]
    path.write_text(json.dumps(record))
    assert kept.of(MACHINE) == []


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are text here")
def test_names_that_are_no_utf_8_are_kept(kept: KeptMeasurements, tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9 100%")
    folder.mkdir()
    name = os.fsdecode(b"n\xe9t")
    unnamed = of_files(folder, f"{name}.safetensors")
    held = measurement(**unnamed.model_dump() | {"model": name})
    kept.keep(held)
    assert kept.of(MACHINE) == [held]
    assert held.model == r"n\udce9t"
    (folder / f"{name}.safetensors").unlink()
    assert kept.of(MACHINE) == []


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
