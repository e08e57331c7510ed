"""Whether an mp3 tells its length, and where its sound begins if it does not.

An encoder that knows the length writes it into a first frame without sound, called Xing, Info or
VBRI. Two files joined by `cat` keep that of the first, which counts only the first: a decoder that
believes it leaves the rest out and says nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["UntoldLength", "sound_follows", "untold_length"]

# Rates in Hz and bit rates in kbit/s of layer III, by the version's two bits; 1 is reserved.
_RATES = {
    3: (44_100, 48_000, 32_000),
    2: (22_050, 24_000, 16_000),
    0: (11_025, 12_000, 8_000),
}
_LOW_KBPS = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_KBPS = {
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: _LOW_KBPS,
    0: _LOW_KBPS,
}
_LARGEST_FRAME = 1441

_TAG = re.compile(rb"Xing|Info|VBRI")
# It follows the frame's header and side information, of which there are at most 38 bytes.
_TAG_WITHIN = 64
_HAS_FRAMES, _HAS_BYTES, _HAS_TABLE, _HAS_QUALITY = 1, 2, 4, 8
# What the decoder itself adds in front, beside the encoder's delay.
_DECODER_DELAY = 529

_SYNC = re.compile(rb"\xff[\xe2-\xff]")
# Titles and pictures behind the sound do not look like so many frames on end (a quarter second).
_FRAMES_IN_A_ROW = 10
_SEARCHED_BYTES = 1 << 24


@dataclass(frozen=True, slots=True)
class UntoldLength:
    """How to read an mp3 whose length is only known at its end.

    Attributes:
        begin: byte of the first frame to decode.
        delay: samples at the start of what is decoded that are the codec's, not the song's.
    """

    begin: int = 0
    delay: int = 0


@dataclass(frozen=True, slots=True)
class _Tag:
    """What a first frame without sound tells; 0 for what it does not."""

    frames: int
    size: int
    delay: int


def untold_length(path: Path) -> UntoldLength | None:
    """How to read an mp3 that does not tell its length, or tells that of its first part only.

    Returns:
        None for an mp3 that tells its length, and for what is no mp3.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        start = _behind_titles(file)
        file.seek(start)
        frame = file.read(_LARGEST_FRAME)
        if not _is_layer_three(frame):
            return None
        tag = _read_tag(frame)
        if tag is None:
            return UntoldLength()
        if tag.frames and not (tag.size and sound_follows(file, start + tag.size)):
            return None
        return UntoldLength(start + _frame_size(frame), tag.delay)


def sound_follows(file: IO[bytes], begin: int) -> bool:
    """Whether an mp3 has frames from this byte on, behind what else there may be."""
    file.seek(begin)
    rest = file.read(_SEARCHED_BYTES)
    return any(_frames_begin(rest, sync.start()) for sync in _SYNC.finditer(rest))


def _behind_titles(file: IO[bytes]) -> int:
    """The byte behind an ID3v2 tag at the start of a file, 0 if there is none."""
    head = file.read(10)
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    # It gives its size in four bytes of seven bits.
    return 10 + sum((byte & 0x7F) << (7 * (3 - i)) for i, byte in enumerate(head[6:]))


def _is_layer_three(frame: bytes) -> bool:
    return len(frame) > 1 and frame[0] == 0xFF and frame[1] & 0xE6 == 0xE2


def _read_tag(frame: bytes) -> _Tag | None:
    found = _TAG.search(frame, 0, _TAG_WITHIN)
    if found is None:
        return None
    place = found.end()
    if found[0] == b"VBRI":  # version, delay and quality come first, of two bytes each
        return _Tag(frames=_number(frame, place + 10), size=_number(frame, place + 6), delay=0)
    flags = _number(frame, place)
    told = {}
    place += 4
    lengths = ((_HAS_FRAMES, 4), (_HAS_BYTES, 4), (_HAS_TABLE, 100), (_HAS_QUALITY, 4))
    for flag, length in lengths:
        if flags & flag:
            told[flag] = _number(frame, place)
            place += length
    # The encoder's name is next, and its delay in the 12 bits that are 21 bytes further.
    has_delay = len(frame) > place + 22 and frame[place] != 0
    delay = (frame[place + 21] << 4 | frame[place + 22] >> 4) + _DECODER_DELAY if has_delay else 0
    return _Tag(told.get(_HAS_FRAMES, 0), told.get(_HAS_BYTES, 0), delay)


def _number(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 4], "big")


def _frames_begin(data: bytes, place: int) -> bool:
    for _ in range(_FRAMES_IN_A_ROW):
        size = _frame_size(data[place : place + 4])
        if not size:
            return False
        place += size
    return True


def _frame_size(header: bytes) -> int:
    """Bytes of the layer III frame with this header; 0 if it is none or does not say."""
    if len(header) < 4 or not _is_layer_three(header):
        return 0
    version, rate, kbps = header[1] >> 3 & 3, header[2] >> 2 & 3, header[2] >> 4
    if version not in _RATES or rate == 3 or kbps == 15:
        return 0
    samples = 1152 if version == 3 else 576
    size = samples // 8 * _KBPS[version][kbps] * 1000 // _RATES[version][rate]
    return size + (header[2] >> 1 & 1) if size else 0
