"""A real JACK server without a sound card."""

from __future__ import annotations

import ctypes.util
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from support import WORKER, require

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ENVIRONMENT", "SERVER", "JackServer", "environment", "need_jack", "running_server"]

SERVER = f"streamsep_{WORKER}"
"""One name for all tests of a process: a server that is killed keeps its slot among eight until it
starts again."""

ENVIRONMENT = {
    "JACK_DEFAULT_SERVER": SERVER,
    "JACK_NO_START_SERVER": "1",
    "JACK_NO_AUDIO_RESERVATION": "1",
}


def need_jack() -> None:
    """Skip where something of it is missing."""
    require(shutil.which("jackd"), "jackd is not installed")
    require(ctypes.util.find_library("jack"), "the library libjack is not installed")


def environment() -> dict[str, str]:
    """Of every process that meets the server."""
    return {**os.environ, **ENVIRONMENT}


class JackServer:
    """`jackd -d dummy`.

    Args:
        period: samples.
        sample_rate: samples per second.
        channels: in either direction.
        patient: it waits for clients that are late, so that a busy machine loses nothing; but for
            those that were killed, too.
        realtime: the server's and its clients' callbacks come before all else, as on a stage; it
            takes a user who may do that.
    """

    def __init__(
        self,
        period: int,
        sample_rate: int = 44_100,
        channels: int = 8,
        *,
        patient: bool = True,
        realtime: bool = False,
    ) -> None:
        self.period = period
        self.sample_rate = sample_rate
        self._channels = channels
        self._patient = patient
        self._realtime = realtime
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it answers; one that does not is ended."""
        command = ["jackd", "-n", SERVER, "-R" if self._realtime else "-r", "--port-max", "256"]
        command += ["-S"] if self._patient else []
        command += ["-d", "dummy", "-r", str(self.sample_rate), "-p", str(self.period)]
        command += ["-C", str(self._channels), "-P", str(self._channels)]
        with tempfile.TemporaryFile() as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=environment())
            try:
                _run_tool("jack_wait", "-s", SERVER, "-w", "-t", "10")
            except BaseException as error:
                self.kill()
                log.seek(0)
                error.add_note(log.read().decode(errors="replace"))
                raise

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


@contextmanager
def running_server(
    period: int,
    sample_rate: int = 44_100,
    channels: int = 8,
    *,
    patient: bool = True,
    realtime: bool = False,
) -> Iterator[JackServer]:
    """A server for as long as the block lasts."""
    need_jack()
    server = JackServer(period, sample_rate, channels, patient=patient, realtime=realtime)
    server.start()
    try:
        yield server
    finally:
        server.terminate()


def _run_tool(*command: str) -> str:
    """What one of JACK's tools says."""
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=15, env=environment()
    )
    return done.stdout
