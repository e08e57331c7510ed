"""A controller that is an rtmidi client of its own on a JACK server."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jack_server import environment, need_jack, running_server
from support import require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from jack_server import JackServer

__all__ = ["NAME", "Controller", "need_jack_midi", "running_midi_server", "wait_for"]

SCRIPT = Path(__file__).with_name("controller_process.py")
NAME = "ssfaders"


def need_jack_midi() -> None:
    """Skip where something of it is missing."""
    need_jack()
    try:
        import rtmidi

        compiled = rtmidi.API_UNIX_JACK in rtmidi.get_compiled_api()
    except ImportError:
        compiled = False
    require(compiled, "the package python-rtmidi with JACK is not installed")


@contextmanager
def running_midi_server(*, patient: bool = True) -> Iterator[JackServer]:
    """A server with periods of 6 ms for as long as the block lasts.

    Args:
        patient: it waits for late clients, see `JackServer`.
    """
    need_jack_midi()
    with running_server(256, channels=2, patient=patient) as running:
        yield running


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
            env=environment(),
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
