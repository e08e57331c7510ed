"""A real JACK server without a sound card, and somebody who plays and records on it."""

from __future__ import annotations

import contextlib
import ctypes.util
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from support import WORKER, require

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVER = f"ss_live_{WORKER}"
"""One name for all tests of a process: a server that is killed keeps its slot among eight until it
starts again."""

SCRIPT = Path(__file__).with_name("player_and_recorder.py")
ENVIRONMENT = {
    "JACK_DEFAULT_SERVER": SERVER,
    "JACK_NO_START_SERVER": "1",
    "JACK_NO_AUDIO_RESERVATION": "1",
    "OMP_NUM_THREADS": "1",
}


def need_jack() -> None:
    """Skip where something of it is missing."""
    require(shutil.which("jackd"), "jackd is not installed")
    require(ctypes.util.find_library("portaudio"), "the library PortAudio is not installed")
    require(importlib.util.find_spec("jack"), "the package JACK-Client is not installed")


class JackServer:
    """`jackd -d dummy`.

    Args:
        period: samples.
        sample_rate: samples per second.
        folder: for its log.
        patient: the server waits for clients that are late, so that a busy machine loses nothing.
        realtime: the server's and its clients' callbacks come before all else, as on a stage; it
            takes a user who may do that.
    """

    def __init__(
        self,
        folder: Path,
        period: int,
        sample_rate: int = 44_100,
        *,
        patient: bool = True,
        realtime: bool = False,
    ) -> None:
        self.period = period
        self.sample_rate = sample_rate
        self._log = folder / "jackd.log"
        self._patient = patient
        self._realtime = realtime
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it answers."""
        command = ["jackd", "-n", SERVER, "-R" if self._realtime else "-r", "--port-max", "256"]
        command += ["-S"] if self._patient else []
        command += ["-d", "dummy", "-r", str(self.sample_rate), "-p", str(self.period)]
        command += ["-C", "8", "-P", "8"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=environment())
        waiting = ["jack_wait", "-s", SERVER, "-w", "-t", "10"]
        subprocess.run(waiting, check=True, capture_output=True, timeout=15, env=environment())

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

    def change_period(self, period: int) -> None:
        """In mid-stream."""
        self.period = period
        _run_tool("jack_bufsize", str(period))

    def wires(self) -> list[tuple[str, str]]:
        """Connected ports, from whom to whom."""
        found = []
        port = ""
        for line in _run_tool("jack_lsp", "-c", "-p").splitlines():
            if not line.startswith((" ", "\t")):
                port = line
                connected: list[str] = []
            elif "properties:" in line:
                if "output" in line:
                    found += [(port, other) for other in connected]
            else:
                connected.append(line.strip())
        return found

    def join(self, source: str, sink: str) -> None:
        """Connect two ports."""
        _run_tool("jack_connect", source, sink)

    def cut(self, source: str, sink: str) -> None:
        """Disconnect two ports."""
        _run_tool("jack_disconnect", source, sink)


def _run_tool(*command: str) -> str:
    """What one of JACK's tools says."""
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=10, env=environment()
    )
    return done.stdout


@contextmanager
def running_server(
    folder: Path,
    period: int,
    sample_rate: int = 44_100,
    *,
    patient: bool = True,
    realtime: bool = False,
) -> Iterator[JackServer]:
    """A server for as long as the block lasts."""
    need_jack()
    server = JackServer(folder, period, sample_rate, patient=patient, realtime=realtime)
    server.start()
    try:
        yield server
    finally:
        server.terminate()


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
    hall = Hall(folder, signal, heard_channels, longest_s)
    try:
        yield hall
    finally:
        hall.close()


def environment() -> dict[str, str]:
    """Of every process that meets the server."""
    return {**os.environ, **ENVIRONMENT}


def await_true(condition, what: str, at_most_s: float = 30.0) -> float:  # type: ignore[no-untyped-def]
    """Wait until something holds; the seconds it took."""
    began_s = time.monotonic()
    while not condition():
        waited_s = time.monotonic() - began_s
        assert waited_s < at_most_s, f"still not after {at_most_s} s: {what}"
        time.sleep(0.01)
    return time.monotonic() - began_s
