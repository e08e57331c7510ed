"""Somebody who plays and somebody who records on a JACK server."""

from __future__ import annotations

import contextlib
import ctypes.util
import importlib.util
import json
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jack_server import SERVER, environment, need_jack
from support import require

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = Path(__file__).with_name("player_and_recorder.py")


def need_hall() -> None:
    """Skip where something is missing that plays on a JACK server, or through PortAudio."""
    need_jack()
    require(ctypes.util.find_library("portaudio"), "the library PortAudio is not installed")
    require(importlib.util.find_spec("jack"), "the package JACK-Client is not installed")


class Hall:
    """Where a signal is played and heard: the clients `player` and `recorder`.

    Args:
        folder: for the signal and the recording.
        signal: float32 [C, T], played over and over.
        heard_channels: R.
        longest_s: seconds that fit into a recording; what comes later is not heard.
    """

    def __init__(
        self, folder: Path, signal: np.ndarray, heard_channels: int, longest_s: float
    ) -> None:
        self._folder = folder
        self._heard_channels = heard_channels
        folder.mkdir(exist_ok=True)
        np.save(folder / "signal.npy", signal)
        with (folder / "hall.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, str(SCRIPT), str(folder), SERVER),
                    *(str(heard_channels), str(longest_s)),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment(),
            )
        self._await("READY")

    def play(self) -> None:
        """Begin to play and to record."""
        self._say("play")

    def hear(self) -> Heard:
        """Stop both; what was heard since `play`."""
        self._say("hear")
        noticed = json.loads(self._await("HEARD"))
        heard = np.fromfile(self._folder / "heard.f32", np.float32)
        samples = heard.reshape(self._heard_channels, noticed["length"])
        return Heard(samples, noticed["xruns"], noticed["holes"])

    def close(self) -> None:
        """End: in order, or at once if it hangs on a server that has died."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def _say(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()

    def _await(self, word: str) -> str:
        """Wait for a line that begins with a word; the rest of it."""
        assert self._process.stdout is not None
        said, _, rest = self._process.stdout.readline().rstrip("\n").partition(" ")
        assert said == word, (self._folder / "hall.log").read_text()
        return rest


class Heard:
    """A recording.

    Attributes:
        samples: float32 [R, N].
        xruns: moments of the server's, seconds of `time.monotonic`.
        holes: times that the recorder missed something.
    """

    def __init__(self, samples: np.ndarray, xruns: list[float], holes: int) -> None:
        self.samples = samples
        self.xruns = xruns
        self.holes = holes


@contextmanager
def playing_hall(
    folder: Path, signal: np.ndarray, heard_channels: int = 2, longest_s: float = 60.0
) -> Iterator[Hall]:
    """A player and a recorder for as long as the block lasts."""
    need_hall()
    hall = Hall(folder, signal, heard_channels, longest_s)
    try:
        yield hall
    finally:
        hall.close()


def await_true(condition, what: str, at_most_s: float = 30.0) -> float:  # type: ignore[no-untyped-def]
    """Wait until something holds; the seconds it took."""
    began_s = time.monotonic()
    while not condition():
        waited_s = time.monotonic() - began_s
        assert waited_s < at_most_s, f"still not after {at_most_s} s: {what}"
        time.sleep(0.01)
    return time.monotonic() - began_s
