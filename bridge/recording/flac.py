"""A flac that can be played however its writer ends.

The encoder writes whole frames of some thousand samples, but says how many samples there are only
when it is closed; until then its header says "unknown", and many readers give up. So the count is
written into the header here, again and again, as far as whole frames have reached the file.

Source: RFC 9639, section 8.2, Streaminfo: 36 bits, 13 bytes and a half behind its beginning.
"""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING

import soundfile

from bridge.recording.samples import as_24_bits

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["FlacFile"]

_STREAMINFO = 8
"""Bytes before it: the mark and the head of the first block."""
_LARGEST_BLOCK = _STREAMINFO + 2
_TOTAL = _STREAMINFO + 13


class FlacFile:
    """A flac of 24 bits.

    Args:
        file: unbuffered, open for reading and writing, empty.
        sample_rate: samples per second.
        channels: C, at most 8.

    Raises:
        OSError: it cannot be written. So do all methods.
    """

    def __init__(self, file: IO[bytes], sample_rate: int, channels: int) -> None:
        self._file = file
        self._sink = _Sink(file)
        self._encoder = soundfile.SoundFile(
            self._sink, "w", sample_rate, channels, format="FLAC", subtype="PCM_24"
        )
        self.safe_frames = 0
        """Samples that the file on the disk says it has."""
        self._safe_bytes = 0
        self._written = 0
        self._block = 0

    def write(self, frames: NDArray[np.float32]) -> None:
        """Append frames [n, C]."""
        self._encoder.write(as_24_bits(frames))
        self._sink.check()
        self._written += len(frames)

    def update(self) -> None:
        """Let the header say what is there."""
        if not self._written:
            return  # no header either
        end = self._file.seek(0, os.SEEK_END)
        if not self._block:
            self._file.seek(_LARGEST_BLOCK)
            self._block = int.from_bytes(self._file.read(2), "big")
        # The encoder keeps the newest sample until it has seen another one.
        whole = max(0, self._written - 1) // self._block * self._block
        if whole != self.safe_frames:
            self._say_total(whole)
            self.safe_frames, self._safe_bytes = whole, end
        self._file.seek(end)

    def recover(self) -> None:
        """After a failed write: cut off what the header does not count."""
        self._sink.deaf = True
        self._encoder.close()
        if self.safe_frames:
            self._file.truncate(self._safe_bytes)
            self._say_total(self.safe_frames)

    def finish(self) -> None:
        """Write the last frame, and the header with its checksum."""
        self._encoder.close()
        self._sink.check()
        self.safe_frames = self._written
        self._safe_bytes = self._file.seek(0, os.SEEK_END)

    def _say_total(self, total: int) -> None:
        self._file.seek(_TOTAL)
        before = self._file.read(1)[0]
        self._file.seek(_TOTAL)
        self._file.write(bytes([before & 0xF0 | total >> 32]) + (total & 0xFFFF_FFFF).to_bytes(4))


class _Sink:
    """The file under libsndfile, which keeps the first error for whoever asks.

    libsndfile does not say what has failed, and says nothing at all when it closes a flac.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.deaf = False
        self._file = file
        self._error: OSError | None = None

    def check(self) -> None:
        """Raise the error there was."""
        if self._error is not None:
            raise self._error

    def write(self, data: bytes) -> int:
        view = memoryview(data)
        while view and not self.deaf and self._error is None:
            try:
                view = view[self._file.write(view) :]
            except OSError as error:
                self._error = error
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()
