"""Songs with known stems on disk: what training learns from and evaluation judges by.

One folder per song with one audio file per stem, as MUSDB18-HQ does::

    data/
    ├── song-1/{drums,bass,other,vocals}.{wav,flac}
    └── song-2/...
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import soundfile
import torch

from streamsep.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

__all__ = ["TrackFolder", "find_tracks"]

SUFFIXES = (".wav", ".flac")


@dataclass(frozen=True, slots=True)
class TrackFolder:
    """One song on disk.

    Attributes:
        name: the folder's name.
        stems: the file of every stem, in the order of the sources.
        length: samples in the shortest stem.
    """

    name: str
    stems: tuple[Path, ...]
    length: int

    def read(self, stem: int, start: int, length: int) -> Tensor:
        """Samples [C, length] of one stem from `start`, with zeros past the end."""
        with soundfile.SoundFile(self.stems[stem]) as file:
            file.seek(min(start, file.frames))
            audio = file.read(length, dtype="float32", always_2d=True, fill_value=0.0)
        return torch.from_numpy(audio.T.copy())


def find_tracks(
    folder: Path, sources: Sequence[str], sample_rate: int, channels: int
) -> list[TrackFolder]:
    """All songs below a folder that have every stem, in the order of their names.

    Raises:
        InputError: no song was found, or one has a stem that cannot be read or has another sample
            rate or channel count.
    """
    tracks = []
    for track in sorted(path for path in folder.glob("*") if path.is_dir()):
        files = [_stem_file(track, source) for source in sources]
        present = tuple(file for file in files if file is not None)
        if len(present) < len(sources):
            continue
        length = min(_checked_length(file, sample_rate, channels) for file in present)
        tracks.append(TrackFolder(track.name, present, length))
    if not tracks:
        raise InputError(
            f"{folder}: no folder with the stems {', '.join(sources)} as .wav or .flac was found; "
            "make songs with 'streamsep render' or point --data at a folder of songs"
        )
    return tracks


def _stem_file(track: Path, source: str) -> Path | None:
    for suffix in SUFFIXES:
        path = track / f"{source}{suffix}"
        if path.is_file():
            return path
    return None


def _checked_length(file: Path, sample_rate: int, channels: int) -> int:
    """The samples in a stem's file, once it is known to fit the network."""
    try:
        info = soundfile.info(str(file))
    except (OSError, soundfile.LibsndfileError) as error:
        raise InputError(f"{file}: cannot be read as audio ({error}); replace it") from error
    if (info.samplerate, info.channels) != (sample_rate, channels):
        raise InputError(
            f"{file}: got {info.samplerate} Hz and {info.channels} channels, expected "
            f"{sample_rate} Hz and {channels}; convert it first"
        )
    return int(info.frames)
