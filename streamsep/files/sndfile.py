"""Read what libsndfile decodes: wav, flac, ogg, opus, mp3, aiff, caf and more."""

from __future__ import annotations

import os
import re
import sys
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import soundfile

from streamsep.errors import InputError
from streamsep.files.reader import AudioReader

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["SndfileReader"]

# libsndfile reads a shortened wav or aiff without complaint, and only its log tells.
_SHORT_CHUNK = re.compile(r"^\s*(?:data|SSND)\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE)
# Programs that write a wav into a pipe cannot know its size and announce one at or near a limit.
_SIZE_UNKNOWN = 0x7FFF_F000

_MP3_FRAME = 1152
_MP3_TAGS = (b"Xing", b"Info", b"VBRI")


class SndfileReader(AudioReader):
    """A file that libsndfile decodes.

    Raises:
        soundfile.LibsndfileError: If libsndfile does not know the format.
        InputError: If the file is truncated or holds no samples.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._counts_frames = not _is_untagged_mp3(path)
        with self._opened() as sound:
            self.sample_rate = int(sound.samplerate)
            self.channels = int(sound.channels)
            self.container = str(sound.format)
            self.subtype = str(sound.subtype)
            self._announced = int(sound.frames)
            log = str(sound.extra_info)
        self.frames = self._announced if self._counts_frames else None
        if self._announced == 0:
            raise InputError(f"'{path}' holds no samples: give a file with sound in it")
        self._check_chunks(log)

    @contextmanager
    def _opened(self) -> Iterator[soundfile.SoundFile]:
        if self._counts_frames:
            # soundfile encodes names strictly, and not every name on a disk is text.
            name = self.path if sys.platform == "win32" else os.fsencode(self.path)
            with soundfile.SoundFile(name) as sound:
                yield sound
        else:
            with self.path.open("rb") as raw, soundfile.SoundFile(_EndlessFile(raw)) as sound:
                yield sound

    def _decode(self, size: int) -> Generator[NDArray[np.float32], None, None]:
        done = 0
        try:
            with self._opened() as sound:
                while len(frames := sound.read(size, dtype="float32", always_2d=True)):
                    yield frames
                    done += len(frames)
        except soundfile.LibsndfileError as error:
            raise InputError(
                f"'{self.path}' is damaged after {done} samples ({error.error_string}): "
                "fetch it again or export it anew"
            ) from error

    def _check_chunks(self, log: str) -> None:
        if short := _SHORT_CHUNK.search(log):
            announced, present = int(short[1]), int(short[2])
            if present < announced < _SIZE_UNKNOWN:
                raise self._truncated(self._announced, self._announced * announced // present)

    def _check_complete(self, total: int) -> None:
        # The samples an mp3's tag announces may differ from those decoded by the codec's padding.
        tolerance = 2 * _MP3_FRAME if self.container == "MP3" else 0
        if self._counts_frames and total < self._announced - tolerance:
            raise self._truncated(total, self._announced)


def _is_untagged_mp3(path: Path) -> bool:
    """Whether this is an mp3 whose first frame does not tell how many follow."""
    with path.open("rb") as file:
        head = file.read(10)
        if head[:3] == b"ID3" and len(head) == 10:
            # ID3v2 gives its size in four bytes of seven bits.
            file.seek(10 + sum((byte & 0x7F) << (7 * (3 - i)) for i, byte in enumerate(head[6:])))
            head = file.read(10)
        first_frame = head + file.read(_MP3_FRAME)
    is_layer_three = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2
    return is_layer_three and not any(tag in first_frame for tag in _MP3_TAGS)


class _EndlessFile:
    """A file that claims to be far longer than it is.

    For an mp3 without a frame count, libsndfile estimates the length from the first frame's bit
    rate and never reads past that estimate. Where the bit rate varies, this cuts songs short
    (a test file lost 60 %). It measures the file by seeking to its end: there this file adds a
    generous factor, and reading goes on to the true end.
    """

    _FACTOR = 64

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._at_end = False

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at_end = whence == 2 and offset == 0
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        return self._raw.tell() * (self._FACTOR if self._at_end else 1)

    def read(self, count: int) -> bytes:
        self._at_end = False
        return self._raw.read(count)
