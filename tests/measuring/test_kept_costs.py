"""What a hop has cost is remembered, as long as nothing that changes it has changed."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from measured import MACHINE
from pydantic import ValidationError

from streamsep.errors import OutputError
from streamsep.measuring import HopCost, KeptHopCosts, Setup, Workload, fingerprint

if TYPE_CHECKING:
    from pathlib import Path

SETUP = Setup(machine=MACHINE, device="cpu", threads=2, precision=None, network="net", files="abc")
WORKLOAD = Workload(segment=133_120, hop=8192, look_ahead=8192, crossfade=2048)
NOW = datetime(2025, 6, 1, tzinfo=UTC)
COST = HopCost(workload=WORKLOAD, compute_s=0.08, measured=NOW)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "hops"


@pytest.fixture
def kept(folder: Path) -> KeptHopCosts:
    kept = KeptHopCosts(folder, SETUP)
    kept.keep(COST)
    return kept


def test_what_is_kept_is_found_by_another(kept: KeptHopCosts, folder: Path) -> None:
    assert KeptHopCosts(folder, SETUP).find(WORKLOAD, NOW) == COST
    assert [path.suffix for path in folder.iterdir()] == [".json"]


def test_nothing_is_known_at_first_and_nothing_is_made(folder: Path) -> None:
    assert KeptHopCosts(folder, SETUP).find(WORKLOAD) is None
    assert not folder.exists()


@pytest.mark.parametrize(
    "changed",
    [
        {"machine": MACHINE.model_copy(update={"torch": "2.12.0"})},
        {"machine": MACHINE.model_copy(update={"streamsep": "9"})},
        {"machine": MACHINE.model_copy(update={"processor": "slide rule"})},
        {"machine": MACHINE.model_copy(update={"cores": 4})},
        {"device": "a GPU"},
        {"threads": 1},
        {"precision": "bfloat16"},
        {"network": "another"},
        {"files": "abd"},
    ],
)
def test_another_setup_finds_nothing(
    kept: KeptHopCosts, folder: Path, changed: dict[str, object]
) -> None:
    other = KeptHopCosts(folder, SETUP.model_copy(update=changed))
    assert other.find(WORKLOAD, NOW) is None
    other.keep(COST.model_copy(update={"compute_s": 1.0}))
    assert kept.find(WORKLOAD, NOW) == COST


@pytest.mark.parametrize(
    "changed",
    [{"segment": 135_168}, {"hop": 0}, {"hop": 4096}, {"look_ahead": 0}, {"crossfade": 1}],
)
def test_another_tiling_finds_nothing(kept: KeptHopCosts, changed: dict[str, object]) -> None:
    assert kept.find(WORKLOAD.model_copy(update=changed), NOW) is None


def test_the_same_again_replaces_it_and_what_is_forgotten_is_gone(
    kept: KeptHopCosts, folder: Path
) -> None:
    again = COST.model_copy(update={"compute_s": 0.5})
    kept.keep(again)
    assert kept.find(WORKLOAD, NOW) == again
    assert len(list(folder.iterdir())) == 1
    kept.forget(WORKLOAD)
    kept.forget(WORKLOAD)
    assert kept.find(WORKLOAD, NOW) is None
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("age", "believed"),
    [
        (timedelta(days=29), True),
        (timedelta(days=31), False),
        (timedelta(minutes=-5), False),
    ],
)
def test_it_is_believed_for_a_month(kept: KeptHopCosts, age: timedelta, believed: bool) -> None:
    assert (kept.find(WORKLOAD, NOW + age) is not None) == believed


def test_whoever_measures_anew_believes_nothing_older(kept: KeptHopCosts, folder: Path) -> None:
    anew = KeptHopCosts(folder, SETUP, anew=True)
    assert anew.find(WORKLOAD, NOW) is None
    fresh = COST.model_copy(update={"measured": datetime.now(UTC)})
    anew.keep(fresh)
    assert anew.find(WORKLOAD) == fresh


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\xff\xfe",
        b"{}",
        COST.model_dump_json().encode(),
        b'{"setup": 1, "cost": 2}',
    ],
)
def test_a_damaged_file_is_as_good_as_none(kept: KeptHopCosts, folder: Path, damage: bytes) -> None:
    (path,) = folder.iterdir()
    path.write_bytes(damage)
    assert kept.find(WORKLOAD, NOW) is None
    kept.keep(COST)
    assert kept.find(WORKLOAD, NOW) == COST


def test_a_file_of_another_name_is_not_believed(kept: KeptHopCosts, folder: Path) -> None:
    (path,) = folder.iterdir()
    own = path.read_bytes()
    other = WORKLOAD.model_copy(update={"hop": 4096})
    kept.keep(COST.model_copy(update={"workload": other}))
    (theirs,) = set(folder.iterdir()) - {path}
    theirs.write_bytes(own)
    assert kept.find(other, NOW) is None


def test_what_cannot_be_kept_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "hops").write_text("a file")
    with pytest.raises(OutputError, match="--cache-dir"):
        KeptHopCosts(tmp_path / "hops", SETUP).keep(COST)
    assert [path.name for path in tmp_path.iterdir()] == ["hops"]


@pytest.mark.parametrize("compute_s", [-1.0, float("nan"), float("inf")])
def test_what_is_no_time_is_no_cost(compute_s: float) -> None:
    with pytest.raises(ValidationError):
        HopCost(workload=WORKLOAD, compute_s=compute_s, measured=NOW)


def test_a_fingerprint_changes_with_any_of_the_files(tmp_path: Path) -> None:
    files = [tmp_path / "one", tmp_path / "two"]
    for path in files:
        path.write_bytes(b"weights")
    first = fingerprint(files)
    assert fingerprint(files) == first
    assert fingerprint(files[:1]) != first
    files[1].write_bytes(b"more weights")
    longer = fingerprint(files)
    os.utime(files[1], ns=(1, 1))
    touched = fingerprint(files)
    files[1].unlink()
    assert len({first, longer, touched, fingerprint(files)}) == 4


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are text here")
def test_a_network_whose_name_is_no_utf_8_is_remembered(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"n\xe9t.safetensors")
    path.write_bytes(b"weights")
    facts = SETUP.model_dump() | {"network": path.stem, "files": fingerprint([path])}
    setup = Setup.model_validate(facts)
    KeptHopCosts(tmp_path / "hops", setup).keep(COST)
    assert KeptHopCosts(tmp_path / "hops", setup).find(WORKLOAD, NOW) == COST
