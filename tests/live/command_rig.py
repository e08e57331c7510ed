"""`streamsep live` as a process, between the player and the recorder of a JACK server."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from jack_server import environment

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from pathlib import Path

DEVICES = ("-i", "player", "-o", "recorder")
AT_MOST_S = 120.0


class Command:
    """`streamsep live --json`, running.

    Args:
        run_folder: where an engine of this user would be.
        arguments: besides the devices.
        variables: of the environment, besides a new user's.
    """

    def __init__(self, run_folder: Path, *arguments: object, **variables: str) -> None:
        self._news: list[str] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "streamsep", "live", *DEVICES, "--json", *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**_environment(run_folder), **variables},
        )

    def await_phase(self, phase: str) -> dict[str, Any]:
        """Wait until it is at something."""
        return self.await_status(lambda status: status["phase"] == phase)

    def await_status(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until it says something; an object comes every second."""
        assert self._process.stdout is not None
        deadline_s = time.monotonic() + AT_MOST_S
        for line in self._process.stdout:
            status: dict[str, Any] = json.loads(line)
            self._news += status["news"]
            if condition(status):
                return status
            assert time.monotonic() < deadline_s, status
        pytest.fail(f"ended before that: {self._process.communicate()[1]}")

    def await_news(self, words: str) -> None:
        """Wait until it tells something, after what was waited for before."""

        def told(_: object) -> bool:
            while self._news:
                if words in self._news.pop(0):
                    return True
            return False

        if not told(None):
            self.await_status(told)

    def type(self, line: str) -> None:
        """Type a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def processes(self) -> list[psutil.Process]:
        """Those that it has started."""
        return psutil.Process(self._process.pid).children(recursive=True)

    def engine(self) -> psutil.Process:
        """The engine that it has started: the zygote's child."""
        serving = [each for each in self.processes() if "serve" in each.cmdline()]
        (engine,) = [each for each in serving if each.ppid() in {other.pid for other in serving}]
        return engine

    def signal(self, number: signal.Signals) -> None:
        """Signal it, and let it do what it likes."""
        self._process.send_signal(number)

    def end(self, number: signal.Signals) -> tuple[int, list[dict[str, Any]], str]:
        """Signal it; the exit code, what it said since the last time, and its errors."""
        self.signal(number)
        out, errors = self._process.communicate(timeout=60)
        return self._process.returncode, [json.loads(line) for line in out.splitlines()], errors

    def close(self) -> None:
        """End in any case."""
        self._process.kill()
        self._process.communicate()


def live(
    run_folder: Path, *arguments: object, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """`streamsep live` in a folder, until it ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "streamsep", "live", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=folder,
        env=_environment(run_folder),
    )


def _environment(run_folder: Path) -> dict[str, str]:
    """Of a user who has not started an engine before."""
    return {
        **environment(),
        "XDG_RUNTIME_DIR": str(run_folder),
        "STREAMSEP_CACHE_DIR": str(run_folder / "cache"),
    }


def assert_all_end(processes: list[psutil.Process]) -> None:
    """Nothing is left; what nobody waits for any more may remain as a zombie."""
    deadline_s = time.monotonic() + 20.0
    while left := [each for each in processes if _lives(each)]:
        assert time.monotonic() < deadline_s, left
        time.sleep(0.05)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
