"""Keeps what is played: the input and every stem, a file each, a folder per take."""

from __future__ import annotations

import json
import re
import time
from itertools import count
from typing import TYPE_CHECKING

from bridge.processes.child_process import ChildProcess
from bridge.recording.reports import Failed, decode
from bridge.recording.ring import RecordingRing
from streamsep.closing import Closing
from streamsep.errors import ConfigError, OutputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from bridge.recording.take import Container, Depth

    Samples = NDArray[np.float32]

__all__ = ["Recorder"]

_MODULE = "bridge.recording.writer_process"
_BUFFER_S = 4.0
"""How long a disk may do nothing."""
_CLOSING_S = 10.0
_FLAC_CHANNELS = 8


class Recorder(Closing):
    """A take. The callback writes into a ring, another process writes the files.

    Files can be played at any time and however the processes end: every tenth of a second their
    headers say what is there. If nothing more can be written, the recording stops and what there is
    is kept; whoever plays does not notice.

    Args:
        folder: for takes; each makes a folder of its own in it, named after the time.
        stems: their names, and the files'. The input's file is called `input`.
        channels: C, of the input and every stem.
        sample_rate: samples per second.
        container: `flac` or `wav`; a wav past 4 GiB turns into an RF64.
        depth: `int24`, or `float32` for wav, which keeps what is above full scale.
        buffer_s: seconds that the ring holds.

    Raises:
        ConfigError: flac cannot hold that.
        OutputError: the folder cannot be written, or there is no room for the ring.
    """

    def __init__(
        self,
        folder: Path,
        stems: Sequence[str],
        channels: int,
        sample_rate: int,
        *,
        container: Container = "flac",
        depth: Depth = "int24",
        buffer_s: float = _BUFFER_S,
    ) -> None:
        _check(container, depth, channels)
        names = _file_names(stems)
        self.sample_rate = sample_rate
        self.safe_frames = 0
        """Frames that every file can give back, whatever happens now."""
        self.failure = ""
        """Why no more is recorded; empty while there is."""
        self._ring = RecordingRing.make(len(names) * channels, round(buffer_s * sample_rate))
        try:
            self.take = _new_take(folder)
        except OutputError:
            self._ring.unlink()
            raise
        task = {
            "ring": str(self._ring.path),
            "frames": self._ring.frames,
            "folder": str(self.take),
            "names": names,
            "channels": channels,
            "sample_rate": sample_rate,
            "container": container,
            "depth": depth,
        }
        self._writer = ChildProcess.of_module(_MODULE, f"{json.dumps(task)}\n")
        self._closed = False
        self._news: list[str] = []
        self._seen_overruns = 0
        self._is_overrun = False

    @property
    def overruns(self) -> int:
        """Blocks that were lost because the disk was too slow; silence is in their place."""
        return self._ring.overruns

    @property
    def lost(self) -> int:
        """Frames of those blocks."""
        return self._ring.lost

    @property
    def writer_pid(self) -> int:
        """Of the process that writes the files."""
        return self._writer.pid

    def write(self, dry: Samples, stems: Samples) -> None:
        """Keep a block.

        Real-time: no lock, no system call, no allocation but views.

        Args:
            dry: float32 [C, n], the input as late as the stems.
            stems: float32 [S, C, n].
        """
        if dry.shape[-1] and not self.failure:
            self._ring.put([dry, stems])

    def poll(self) -> list[str]:
        """What is new, in lines for people; returns at once."""
        self._listen()
        news, self._news = self._news, []
        return news

    def _listen(self) -> None:
        """Take note of what the writer has said."""
        while (line := self._writer.next_line(0.0)) is not None:
            report = decode(line)
            if report is not None:
                self.safe_frames = report.frames
            if isinstance(report, Failed):
                self._fail(report.text)
        if self._writer.drained and not self._closed:
            reason = self._writer.errors[-1] if self._writer.errors else "it was killed"
            self._fail(f"the process that writes has ended: {reason}")
        if self.overruns != self._seen_overruns and not self._is_overrun:
            self._news.append(
                f"recording: the disk is too slow, {self.lost} frames are silence so far"
            )
        self._is_overrun = self.overruns != self._seen_overruns
        self._seen_overruns = self.overruns

    def describe(self) -> str:
        """The state of the recording in a few words."""
        parts = [f"{self.safe_frames / self.sample_rate:.1f} s"]
        if self.lost:
            parts.append(f"{self.lost} frames lost")
        if self.failure:
            parts.append(f"stopped: {self.failure}")
        return ", ".join(parts)

    def close(self) -> None:
        """Complete the take; everything that was put in is written. News can be polled after it."""
        self._ring.close()
        self._closed = True
        end_s = time.monotonic() + _CLOSING_S
        while not self._writer.drained and time.monotonic() < end_s:
            self._listen()
            time.sleep(0.01)
        self._listen()
        self._writer.close(0.0)
        self._ring.unlink()

    def _fail(self, text: str) -> None:
        if not self.failure:
            self.failure = text
            seconds = self.safe_frames / self.sample_rate
            kept = f"what there is lies in {self.take}" if seconds else "nothing was recorded"
            self._news.append(f"recording has stopped after {seconds:.1f} s ({text}); {kept}")


def _check(container: Container, depth: Depth, channels: int) -> None:
    if container not in ("flac", "wav") or depth not in ("int24", "float32"):
        raise ConfigError(
            f"recording {container} of {depth}: expected flac or wav, int24 or float32"
        )
    if container == "flac" and depth == "float32":
        raise ConfigError("flac cannot hold float32: record int24, or wav")
    if container == "flac" and channels > _FLAC_CHANNELS:
        raise ConfigError(f"flac of {channels} channels: it holds at most 8; record wav")


def _file_names(stems: Sequence[str]) -> list[str]:
    """The input's name and the stems', as files may be called, no two the same."""
    names: list[str] = []
    for wanted in ("input", *stems):
        plain = re.sub(r"[^\w .+-]", "_", wanted).strip(". ")[:80] or "stem"
        taken = {name.casefold() for name in names}
        free = (plain if number == 1 else f"{plain}-{number}" for number in count(1))
        names.append(next(name for name in free if name.casefold() not in taken))
    return names


def _new_take(folder: Path) -> Path:
    """A new folder, named after the time."""
    now = time.strftime("%Y-%m-%d_%H-%M-%S")
    for number in count(1):
        take = folder / (now if number == 1 else f"{now}-{number}")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            take.mkdir()
        except FileExistsError:
            if folder.is_dir():
                continue
            raise OutputError(f"cannot record into '{folder}': it is no folder") from None
        except OSError as error:
            raise OutputError(
                f"cannot record into '{folder}': {error.strerror or error}; choose another folder"
            ) from error
        return take.absolute()
    raise AssertionError
