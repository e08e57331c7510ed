"""A real JACK server, and a controller that is a second rtmidi client on it."""

from __future__ import annotations

import contextlib
import ctypes.util
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from support import WORKER, require

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["ENVIRONMENT", "NAME", "Controller", "JackServer", "need_jack_midi", "wait_for"]

SERVER = f"ss_midi_{WORKER}"
"""One name for all tests of a process: a server that is killed keeps its slot among eight until it
starts again."""
ENVIRONMENT = {"JACK_DEFAULT_SERVER": SERVER, "JACK_NO_START_SERVER": "1"}
ENVIRONMENT |= {"JACK_NO_AUDIO_RESERVATION": "1"}
SCRIPT = Path(__file__).with_name("controller_process.py")
NAME = "ssfaders"


def need_jack_midi() -> None:
    """Skip where something of it is missing."""
    require(shutil.which("jackd"), "jackd is not installed")
    require(ctypes.util.find_library("jack"), "the library libjack is not installed")
    try:
        import rtmidi

        compiled = rtmidi.API_UNIX_JACK in rtmidi.get_compiled_api()
    except ImportError:
        compiled = False
    require(compiled, "the package python-rtmidi with JACK is not installed")


class JackServer:
    """`jackd -d dummy` with periods of 6 ms.

    Args:
        patient: it waits for clients that are late, so that a busy machine loses no message; but it
            waits for those that were killed, too.
    """

    def __init__(self, *, patient: bool = True) -> None:
        self._patient = patient
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it answers."""
        command = ["jackd", "-n", SERVER, "-r", "--port-max", "256"]
        command += ["-S"] if self._patient else []
        command += ["-d", "dummy", "-r", "44100", "-p", "256", "-C", "2", "-P", "2"]
        environment = {**os.environ, **ENVIRONMENT}
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
        )
        waiting = ["jack_wait", "-s", SERVER, "-w", "-t", "10"]
        subprocess.run(waiting, check=True, capture_output=True, timeout=15, env=environment)

    def terminate(self) -> None:
        """SIGTERM; after two seconds SIGKILL, as a server with a dead client needs it."""
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(2.0)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """SIGKILL, and remove what a server usually removes by itself."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        for left in Path("/dev/shm").glob(f"jack*{SERVER}*"):
            left.unlink(missing_ok=True)


class Controller:
    """A process with a port to play on and one that shows lights.

    Args:
        connect_to: part of the name of a port to connect to; None to be connected by others.
    """

    def __init__(self, connect_to: str | None = None) -> None:
        self.lights: queue.SimpleQueue[list[int]] = queue.SimpleQueue()
        self._process = subprocess.Popen(
            [sys.executable, str(SCRIPT), NAME, connect_to or ""],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **ENVIRONMENT},
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "READY\n"
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def send(self, *messages: Sequence[int]) -> None:
        """Play messages, all at once."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{json.dumps([list(message) for message in messages])}\n")
        self._process.stdin.flush()

    def shown(self, timeout_s: float = 5.0) -> list[int]:
        """The next message for its lights."""
        return self.lights.get(timeout=timeout_s)

    def kill(self) -> None:
        """End it at once, as one whose server has died."""
        self._process.kill()
        self.unplug()

    def unplug(self) -> None:
        """End it; its ports go with it."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(2.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(2.0)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(ValueError):
            for line in self._process.stdout:
                self.lights.put(json.loads(line))


def wait_for(condition: Callable[[], object], what: str, at_most_s: float = 15.0) -> None:
    """Wait until something is so."""
    end_s = time.monotonic() + at_most_s
    while not condition():
        assert time.monotonic() < end_s, f"not within {at_most_s} s: {what}"
        time.sleep(0.01)
