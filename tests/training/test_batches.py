"""What ends the preparation of examples is called by its name."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest
from tiny_run import tiny_config, write_song
from torch.utils.data import DataLoader

from streamsep.devices.out_of_memory import is_out_of_memory
from streamsep.errors import TrainingError
from streamsep.training.dataset import Examples
from streamsep.training.loop import TrainingRun

if TYPE_CHECKING:
    from pathlib import Path


def exhaust(*_: object) -> None:
    raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def refuse(*_: object) -> None:
    raise RuntimeError("the reason")


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    write_song(tmp_path / "songs" / "one")
    return tmp_path / "songs"


@pytest.mark.skipif(sys.platform != "linux", reason="workers inherit what the test replaces")
@pytest.mark.parametrize("workers", [0, 1])
def test_memory_that_runs_out_while_examples_are_prepared_is_no_dead_process(
    workers: int, songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Examples, "__getitem__", exhaust)
    run = TrainingRun(tiny_config(), songs, tmp_path / "out", workers=workers)
    with pytest.raises(RuntimeError) as caught:
        run.run()
    assert is_out_of_memory(caught.value)


@pytest.mark.skipif(sys.platform != "linux", reason="workers inherit what the test replaces")
def test_a_dead_process_is_named_in_one_line(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Examples, "__getitem__", die)
    run = TrainingRun(tiny_config(), songs, tmp_path / "out", workers=1)
    with pytest.raises(TrainingError, match=r"a process that prepares examples has ended"):
        run.run()


@pytest.mark.skipif(sys.platform != "linux", reason="workers inherit what the test replaces")
def test_what_ends_a_helper_is_one_line_with_its_reason(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Examples, "__getitem__", refuse)
    run = TrainingRun(tiny_config(), songs, tmp_path / "out", workers=1)
    with pytest.raises(TrainingError, match=r"has ended \(RuntimeError: the reason\)") as caught:
        run.run()
    assert "\n" not in str(caught.value)


def test_helpers_that_cannot_be_heard_are_one_line(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unheard(_: object) -> None:
        raise RuntimeError("Too many open files. Communication with the workers is over")

    monkeypatch.setattr(DataLoader, "__iter__", lambda loader: map(unheard, [loader]))
    run = TrainingRun(tiny_config(), songs, tmp_path / "out", workers=1)
    with pytest.raises(TrainingError, match=r"has ended \(Too many open files\. Communication"):
        run.run()


def test_a_fault_of_the_run_itself_is_not_blamed_on_helpers(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Examples, "__getitem__", refuse)
    run = TrainingRun(tiny_config(), songs, tmp_path / "out")
    with pytest.raises(RuntimeError, match="the reason"):
        run.run()
