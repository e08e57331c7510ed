"""Read what libsndfile decodes: wav, flac, ogg, opus, mp3, aiff, caf and more."""

from __future__ import annotations

import os
import re
import sys
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import soundfile

from streamsep.errors import InputError
from streamsep.files.mp3_length import sound_follows, untold_length
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

# What libsndfile says of a flac that was written into a pipe, and does not know its length.
_FRAMES_UNKNOWN = 2**63 - 1

_MP3_FRAME = 1152

# soundfile goes by this name, and asks its caller for the rate.
_HEADERLESS = ".raw"


class SndfileReader(AudioReader):
    """A file that libsndfile decodes.

    Raises:
        soundfile.LibsndfileError: If libsndfile does not know the format.
        InputError: If the file is truncated, holds no samples, or is headerless by its name.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        if path.suffix.lower() == _HEADERLESS:
            raise InputError(
                f"'{path}' is called like samples without a header, which tell neither rate nor "
                "channels: give a wav, flac or mp3 file, or rename it if it is one"
            )
        self.path = path
        self._untold = untold_length(path)
        with self._opened() as (sound, _):
            self.sample_rate = int(sound.samplerate)
            self.channels = int(sound.channels)
            self.container = str(sound.format)
            self.subtype = str(sound.subtype)
            self._announced = int(sound.frames)
            log = str(sound.extra_info)
        self._tells_length = self._untold is None and self._announced < _FRAMES_UNKNOWN
        self.frames = self._announced if self._tells_length else None
        if self._announced == 0:
            raise InputError(f"'{path}' holds no samples: give a file with sound in it")
        self._check_chunks(log)

    @contextmanager
    def _opened(self) -> Iterator[tuple[soundfile.SoundFile, IO[bytes] | None]]:
        """The decoder, and the file under it where that must be read to its end."""
        if self._untold is None:
            # soundfile encodes names strictly, and not every name on a disk is text.
            name = self.path if sys.platform == "win32" else os.fsencode(self.path)
            with soundfile.SoundFile(name) as sound:
                if sound.frames == _FRAMES_UNKNOWN:
                    # soundfile seeks after every read, which fails in such a file.
                    sound._info.seekable = 0
                yield sound, None
        else:
            with (
                self.path.open("rb") as raw,
                soundfile.SoundFile(_EndlessFile(raw, self._untold.begin)) as sound,
            ):
                yield sound, raw

    def _decode(self, size: int) -> Generator[NDArray[np.float32], None, None]:
        done = 0
        try:
            with self._opened() as (sound, raw):
                if self._untold is not None:
                    sound.read(self._untold.delay)
                while len(frames := sound.read(size, dtype="float32", always_2d=True)):
                    yield frames
                    done += len(frames)
                if raw is not None:
                    self._check_all_read(raw)
        except soundfile.LibsndfileError as error:
            raise InputError(
                f"'{self.path}' is damaged after {done} samples ({error.error_string}): "
                "fetch it again or export it anew"
            ) from error

    def _check_all_read(self, raw: IO[bytes]) -> None:
        # mpg123 ends the song where its rate or channels change, and says nothing.
        if sound_follows(raw, raw.tell()):
            raise InputError(
                f"'{self.path}' changes its sample rate or channels on the way, as joined files "
                "may: separate its parts, or convert it with ffmpeg"
            )

    def _check_chunks(self, log: str) -> None:
        if short := _SHORT_CHUNK.search(log):
            announced, present = int(short[1]), int(short[2])
            if present < announced < _SIZE_UNKNOWN:
                raise self._truncated(self._announced, self._announced * announced // present)

    def _check_complete(self, total: int) -> None:
        # The samples an mp3's tag announces may differ from those decoded by the codec's padding.
        tolerance = 2 * _MP3_FRAME if self.container == "MP3" else 0
        if self._tells_length and total < self._announced - tolerance:
            raise self._truncated(total, self._announced)


class _EndlessFile:
    """A file from a byte on, that claims to be far longer than it is.

    For an mp3 without a frame count, libsndfile estimates the length from the first frame's bit
    rate and never reads past that estimate. Where the bit rate varies, this cuts songs short
    (a test file lost 60 %). It measures the file by seeking to its end: there this file adds a
    generous factor, and reading goes on to the true end.
    """

    _FACTOR = 64

    def __init__(self, raw: IO[bytes], begin: int) -> None:
        self._raw = raw
        self._begin = begin
        self._at_end = False
        raw.seek(begin)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at_end = whence == os.SEEK_END and offset == 0
        return self._raw.seek(offset + (self._begin if whence == os.SEEK_SET else 0), whence)

    def tell(self) -> int:
        return (self._raw.tell() - self._begin) * (self._FACTOR if self._at_end else 1)

    def read(self, count: int) -> bytes:
        self._at_end = False
        return self._raw.read(count)
