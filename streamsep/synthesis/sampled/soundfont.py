"""What a soundfont holds: the names of its presets, read without its gigabyte of samples.

A SoundFont 2 file is a RIFF tree. Its preset headers lie in the chunk ``phdr`` near the end, 38
bytes each, closed by a terminal one. Bank 128 holds drum kits, the banks below melodic patches.

Source: SoundFont Technical Specification 2.04, sections 4 and 7.2.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from streamsep.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["DRUM_BANK", "Patch", "read_patches"]

DRUM_BANK = 128

_HEADER = struct.Struct("<20sHH14x")


@dataclass(frozen=True, slots=True)
class Patch:
    """One sound of a soundfont.

    Attributes:
        soundfont: the file that holds it.
        bank: 0..127 for melodic patches, `DRUM_BANK` for kits.
        program: General MIDI program, 0..127.
        name: as the soundfont's author wrote it.
    """

    soundfont: Path
    bank: int
    program: int
    name: str


def read_patches(soundfont: Path) -> tuple[Patch, ...]:
    """List the patches of a soundfont.

    Raises:
        InputError: the file cannot be read or is no SoundFont 2 file.
    """
    try:
        with soundfont.open("rb") as file:
            headers = _find_preset_headers(file)
    except (OSError, struct.error) as error:
        raise InputError(f"{soundfont} cannot be read as a SoundFont 2 file: {error}") from error
    if len(headers) < _HEADER.size or len(headers) % _HEADER.size:
        raise InputError(f"{soundfont} is not a SoundFont 2 file: no preset headers; use an .sf2")
    return tuple(
        Patch(soundfont, bank, program, name.split(b"\0")[0].decode("latin-1"))
        for name, program, bank in _HEADER.iter_unpack(headers[: -_HEADER.size])
    )


def _find_preset_headers(file: BinaryIO) -> bytes:
    """The body of ``phdr``, or nothing; walks the top-level lists and skips the samples."""
    if file.read(4) != b"RIFF":
        return b""
    file.seek(12)
    while len(tag := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", tag)
        if name == b"LIST" and file.read(4) == b"pdta":
            name, size = struct.unpack("<4sI", file.read(8))
            return file.read(size) if name == b"phdr" else b""
        file.seek(size + size % 2 - (4 if name == b"LIST" else 0), 1)
    return b""
