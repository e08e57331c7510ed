"""A ring between the callback that plays and the process that writes files.

It lies in a mapped file, so that what has been played outlives the process that played it. One side
writes, the other reads, and each owns one number, an absolute count of frames; neither ever waits::

    frame ──►        taken           put
    ─────────────────┼███████████████┼────────────────
                     │ to be written │ free, around the ring

If there is no room, the block is lost; the recording keeps its place in time, because as many
frames of silence are put in when there is room again.
"""

from __future__ import annotations

import mmap
import os
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from streamsep.errors import OutputError

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

__all__ = ["RecordingRing"]

_HEAD = 64
"""Bytes before the samples: the counts."""
_PUT, _TAKEN, _CLOSED = 0, 1, 2
_IN_MEMORY = Path("/dev/shm")
_PREFIX = "streamsep-recording-"
_YOUNG_S = 60.0
"""A ring of this age may not have been marked yet."""


class RecordingRing:
    """The ring, seen from either side.

    Args:
        path: the file, from `make`.
        tracks: rows of samples.
        frames: how many fit, as in `make`.
    """

    def __init__(self, path: Path, tracks: int, frames: int) -> None:
        self.path = path
        self.frames = frames
        with path.open("r+b") as file:
            _mark_used(file.fileno())
            self._memory = mmap.mmap(file.fileno(), _size(tracks, frames))
        self._counts = np.frombuffer(self._memory, np.int64, 3)
        self._samples = np.frombuffer(self._memory, np.float32, offset=_HEAD).reshape(tracks, -1)
        self._owed = 0
        self.overruns = 0
        """Blocks that found no room; counted by the side that puts."""
        self.lost = 0
        """Their frames."""

    @classmethod
    def make(cls, tracks: int, frames: int) -> RecordingRing:
        """A new ring, in memory where the system has such and there is room.

        Args:
            tracks: rows of samples.
            frames: how many shall fit at least.

        Raises:
            OutputError: there is no room for it anywhere.
        """
        frames = 1 << (frames - 1).bit_length()
        for folder in (_IN_MEMORY, Path(tempfile.gettempdir())):
            _remove_abandoned(folder)
            try:
                handle, name = tempfile.mkstemp(prefix=_PREFIX, dir=folder)
            except OSError:
                continue
            try:
                _reserve(handle, _size(tracks, frames))
            except OSError:
                Path(name).unlink()
                continue
            finally:
                os.close(handle)
            return cls(Path(name), tracks, frames)
        needed = _size(tracks, frames) >> 20
        raise OutputError(
            f"cannot record: no {needed} MB are free in {_IN_MEMORY} or {tempfile.gettempdir()}; "
            "free some space, or set TMPDIR to a folder that has it"
        )

    @property
    def put_count(self) -> int:
        """Frames that have been put in, or are owed as silence."""
        return int(self._counts[_PUT]) + self._owed

    @property
    def waiting(self) -> int:
        """Frames that have been put in and not been taken."""
        return int(self._counts[_PUT] - self._counts[_TAKEN])

    @property
    def closed(self) -> bool:
        """Whether nothing more will be put in."""
        return bool(self._counts[_CLOSED])

    def put(self, parts: list[Samples]) -> None:
        """Put in a block, or lose it.

        Real-time: no lock, no system call, no allocation but views.

        Args:
            parts: float32 [..., n], n at least 1, whose rows together are the tracks.
        """
        length = parts[0].shape[-1]
        room = self.frames - self.waiting
        if self._owed:
            # No more of it at once than a few blocks: the callback must not take long.
            silence = min(self._owed, room, 4 * length)
            self._fill(silence)
            self._owed -= silence
            room -= silence
        if self._owed or length > room:
            self._owed += length
            self.overruns += 1
            self.lost += length
            return
        begin, row = int(self._counts[_PUT]), 0
        for part in parts:
            tracks = part.reshape(-1, length)
            rows = self._samples[row : row + len(tracks)]
            for places, piece in self._places(begin, length):
                rows[:, places] = tracks[:, piece]
            row += len(tracks)
        # The samples first, then the word that they are there.
        self._counts[_PUT] = begin + length

    def take(self, most: int) -> Samples:
        """Take out what is there.

        Args:
            most: frames.

        Returns:
            float32 [tracks, n], n from 0 to `most`.
        """
        begin = int(self._counts[_TAKEN])
        length = min(most, self.waiting)
        taken = np.empty((len(self._samples), length), np.float32)
        for places, piece in self._places(begin, length):
            taken[:, piece] = self._samples[:, places]
        self._counts[_TAKEN] = begin + length
        return taken

    def close(self) -> None:
        """Say that nothing more will be put in."""
        self._counts[_CLOSED] = 1

    def unlink(self) -> None:
        """Remove the file's name; whoever has it open keeps it, and it goes with the last one."""
        try:
            self.path.unlink(missing_ok=True)
        except PermissionError:  # Windows: when the last one lets go
            return

    def _fill(self, length: int) -> None:
        begin = int(self._counts[_PUT])
        for places, _ in self._places(begin, length):
            self._samples[:, places] = 0.0
        self._counts[_PUT] = begin + length

    def _places(self, begin: int, length: int) -> list[tuple[slice, slice]]:
        first = begin & (self.frames - 1)
        head = min(length, self.frames - first)
        pieces = [(slice(first, first + head), slice(0, head))]
        if head < length:
            pieces.append((slice(0, length - head), slice(head, length)))
        return pieces


def _size(tracks: int, frames: int) -> int:
    return _HEAD + 4 * tracks * frames


def _reserve(handle: int, size: int) -> None:
    """Make a file as long as that, and make sure that there is room for all of it.

    Memory that is only promised kills the process that touches it when there is none.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, size)
    else:
        os.truncate(handle, size)


def _mark_used(handle: int) -> None:
    """Lock a ring's file for as long as it is mapped, however this process ends."""
    if sys.platform != "win32":
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_SH)


def _remove_abandoned(folder: Path) -> None:
    """Delete rings whose both sides were killed before the name was removed."""
    if sys.platform == "win32":
        return
    for path in folder.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # somebody else's, in use, or gone in between
            if time.time() - path.stat().st_mtime < _YOUNG_S:
                continue
            with path.open("r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
