"""A wav that can be played however its writer ends.

Its header says at any time how much there is. Sizes of a wav have 32 bits; a file that grows past
4 GiB turns into an RF64, for which a place of 28 bytes is kept from the beginning::

    RIFF size WAVE │ JUNK 28 ........ │ fmt 18 ... │ data size ▒▒▒▒▒▒▒▒
    RF64   -1 WAVE │ ds64 28 sizes .. │ fmt 18 ... │ data   -1 ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒

Source: EBU Tech 3306, RF64: An extended File Format for Audio.
"""

from __future__ import annotations

import struct
from typing import IO, TYPE_CHECKING

import numpy as np

from bridge.recording.samples import as_24_bits

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["WavFile"]

_PCM, _FLOAT = 1, 3
_LONGEST = 0xFFFF_FFFF
_HEADER = 12 + 36 + 26 + 8
"""Bytes before the samples: the form, the place for ds64, fmt, and the head of data."""


class WavFile:
    """A wav of 24-bit integers or 32-bit floats.

    Args:
        file: unbuffered, open for writing, empty.
        sample_rate: samples per second.
        channels: C.
        is_float: floats; else integers.

    Raises:
        OSError: the header cannot be written. So do all methods but `close`.
    """

    def __init__(self, file: IO[bytes], sample_rate: int, channels: int, *, is_float: bool) -> None:
        self._file = file
        self._rate = sample_rate
        self._channels = channels
        self._is_float = is_float
        self._frame_bytes = channels * (4 if is_float else 3)
        self.safe_frames = 0
        """Frames that the file on the disk says it has."""
        self._written = 0
        self.update()

    def write(self, frames: NDArray[np.float32]) -> None:
        """Append frames [n, C]."""
        _write_all(self._file, self._encoded(frames))
        self._written += len(frames)

    def update(self) -> None:
        """Let the header say what is there."""
        end = self._file.seek(0, 1)
        self._file.seek(0)
        _write_all(self._file, self._header())
        self._file.seek(max(end, _HEADER))
        self.safe_frames = self._written

    def recover(self) -> None:
        """After a failed write: cut off what the header does not count."""
        self._file.truncate(_HEADER + self.safe_frames * self._frame_bytes)

    def finish(self) -> None:
        """Say the last of it."""
        self.update()

    def _encoded(self, frames: NDArray[np.float32]) -> bytes:
        if self._is_float:
            return frames.astype("<f4").tobytes()
        # Of every four bytes, the lowest is empty.
        quads = np.ascontiguousarray(as_24_bits(frames), "<i4").view(np.uint8).reshape(-1, 4)
        return quads[:, 1:].tobytes()

    def _header(self) -> bytes:
        data = self._written * self._frame_bytes
        whole = _HEADER - 8 + data
        huge = whole > _LONGEST
        sizes = struct.pack("<QQQI", whole, data, self._written, 0) if huge else bytes(28)
        coding = struct.pack(
            "<HHIIHHH",
            _FLOAT if self._is_float else _PCM,
            self._channels,
            self._rate,
            self._rate * self._frame_bytes,
            self._frame_bytes,
            8 * self._frame_bytes // self._channels,
            0,
        )
        form = struct.pack("<4sI4s", b"RF64" if huge else b"RIFF", min(whole, _LONGEST), b"WAVE")
        return b"".join(
            [
                form,
                struct.pack("<4sI", b"ds64" if huge else b"JUNK", 28) + sizes,
                struct.pack("<4sI", b"fmt ", 18) + coding,
                struct.pack("<4sI", b"data", min(data, _LONGEST)),
            ]
        )


def _write_all(file: IO[bytes], data: bytes) -> None:
    """Write to an unbuffered file, which may take a part only: then the rest says why."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
