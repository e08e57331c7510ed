"""There is an engine: the one that runs, or one of our own, started again when it dies."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from engine_process import SCRIPT, running_engine

from bridge.live.engine_keeper import EngineKeeper
from bridge.run_folder import ipc_endpoints
from streamsep.errors import ConfigError, EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short enough for a socket's path."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name) / "run"


def keeper_in(folder: Path, *options: str) -> EngineKeeper:
    command = [sys.executable, str(SCRIPT), str(folder), "--lifeline", *options]
    return EngineKeeper(ipc_endpoints(folder), None, command)


def test_an_engine_is_started_kept_and_ended(folder: Path) -> None:
    keeper = keeper_in(folder)
    keeper.ensure()
    assert keeper.starts == 1
    assert keeper.pid is not None
    first = psutil.Process(keeper.pid)
    os.kill(first.pid, signal.SIGKILL)
    news = []
    deadline_s = time.monotonic() + 60
    while keeper.starts < 2:
        assert time.monotonic() < deadline_s
        news.append(keeper.poll(missed=False))
        time.sleep(0.01)
    assert [line for line in news if line] == [
        "the engine has ended (killed by SIGKILL); starting it again"
    ]
    keeper.ensure()
    second = psutil.Process(keeper.pid)
    keeper.close()
    assert not second.is_running()


def test_beside_an_engine_that_answers_none_is_started_whatever_a_session_lacks(
    folder: Path,
) -> None:
    others, ours = keeper_in(folder), keeper_in(folder)
    ours.remark = "another network"
    others.ensure()
    end_s = time.monotonic() + 3.0
    while time.monotonic() < end_s:
        assert ours.poll(missed=True) is None
        time.sleep(0.01)
    assert ours.starts == 0
    others.close()
    deadline_s = time.monotonic() + 60
    while (line := ours.poll(missed=True)) is None:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    assert (line, ours.starts) == ("the engine has gone; starting one (another network)", 1)
    ours.close()


def test_one_that_hangs_is_ended_and_started_again(folder: Path) -> None:
    keeper = keeper_in(folder)
    keeper.ensure()
    assert keeper.pid is not None
    first = psutil.Process(keeper.pid)
    first.suspend()
    news: list[str | None] = []
    deadline_s = time.monotonic() + 60
    while keeper.starts < 2:
        assert time.monotonic() < deadline_s
        news.append(keeper.poll(missed=True))
        time.sleep(0.01)
    assert [line for line in news if line] == [
        "the engine hangs; ending it",
        "the engine has ended (killed by SIGKILL); starting it again",
    ]
    assert not first.is_running()
    keeper.ensure()
    assert keeper.poll(missed=True) is None
    keeper.close()


def test_an_engine_that_runs_is_used_and_left_alone(folder: Path) -> None:
    with running_engine(folder) as engine:
        keeper = keeper_in(folder)
        keeper.ensure()
        assert (keeper.starts, keeper.pid) == (0, None)
        keeper.close()
        assert psutil.pid_exists(engine.pid)


def test_an_engine_that_somebody_else_is_just_starting_is_waited_for(folder: Path) -> None:
    with running_engine(folder) as engine:
        engine.send(signal.SIGSTOP)
        keeper = keeper_in(folder)
        waiting = threading.Thread(target=keeper.ensure)
        waiting.start()
        while not keeper.starts:
            time.sleep(0.01)
        while keeper.pid is not None:
            time.sleep(0.01)
        assert waiting.is_alive()
        engine.send(signal.SIGCONT)
        waiting.join(30)
        assert not waiting.is_alive()
        keeper.close()


def test_an_engine_that_cannot_be_started_says_why(folder: Path) -> None:
    keeper = keeper_in(folder, "--separator", "Nonsense")
    with pytest.raises(ConfigError, match="Nonsense"):
        keeper.ensure()
    assert keeper.pid is None


def test_an_engine_elsewhere_is_never_started(folder: Path) -> None:
    keeper = EngineKeeper(ipc_endpoints(folder))
    with pytest.raises(EngineError, match="no engine answers"):
        keeper.ensure()
