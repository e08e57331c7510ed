"""Engines as real processes: started, stopped, killed."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import signal
    from collections.abc import Iterator

SCRIPT = Path(__file__).with_name("serve_fake.py")


class EngineProcess:
    """An engine with a fake separator in a folder.

    Args:
        folder: its run-time folder.
        options: of serve_fake.py.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.address = f"ipc://{folder}/audio.ipc"
        self._options = options
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start, and wait until it serves."""
        self.launch()
        self.await_ready()

    def launch(self) -> None:
        """Start without waiting."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(self.folder), *self._options],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def await_ready(self) -> None:
        """Wait until it serves."""
        assert self._process is not None
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "READY\n"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def stop(self) -> int:
        """SIGTERM, and wait for the end."""
        assert self._process is not None
        self._process.terminate()
        try:
            return self._process.wait(20)
        finally:
            self._process.kill()
            assert self._process.stdout is not None
            self._process.stdout.close()

    def stall(self, seconds: float) -> None:
        """Make one computation take so much longer."""
        part = self.folder / "stall.part"
        part.write_text(str(seconds))
        part.rename(self.folder / "stall")


@contextmanager
def running_engine(folder: Path, *options: str) -> Iterator[EngineProcess]:
    """An engine for as long as the block lasts."""
    engine = EngineProcess(folder, *options)
    engine.start()
    try:
        yield engine
    finally:
        engine.stop()
