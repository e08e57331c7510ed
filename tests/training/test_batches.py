"""What ends the preparation of examples is called by its name."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest
from tiny_run import tiny_config, write_song

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
