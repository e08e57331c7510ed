"""Training examples cut from a folder of songs with known stems.

The folder holds one folder per song with one audio file per stem, as MUSDB18-HQ does::

    data/
    ├── song-1/{drums,bass,other,vocals}.{wav,flac}
    └── song-2/...

Example number i depends on the seed and on i alone, never on who asks for it or in which order: a
resumed run, or one on two processes, sees the same examples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import torch
from torch import Tensor
from torch.utils.data import Dataset

from streamsep.errors import InputError
from streamsep.training.augmentation import Augmentation

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from streamsep.config.training import AugmentationConfig

__all__ = ["Examples", "TrackFolder", "find_tracks"]

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


class Examples(Dataset[Tensor]):
    """Random segments, remixed and augmented; item i is float32 [S, C, T].

    Args:
        tracks: where to cut from.
        segment: samples T per example.
        config: augmentation.
        sample_rate: samples per second of the tracks.
        count: number of examples.
        seed: what decides them.
    """

    def __init__(
        self,
        tracks: Sequence[TrackFolder],
        segment: int,
        config: AugmentationConfig,
        *,
        sample_rate: int,
        count: int,
        seed: int,
    ) -> None:
        self.tracks = tracks
        self.segment = segment
        self.config = config
        self.augment = Augmentation.from_config(config, sample_rate)
        self.count = count
        self.seed = seed

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Tensor:
        if not 0 <= index < self.count:
            raise IndexError(index)
        rng = np.random.default_rng([self.seed, index])
        return self.augment(self._cut(rng), rng)

    def _cut(self, rng: np.random.Generator) -> Tensor:
        """One segment [S, C, T]: all stems of one moment, or each from a song of its own."""
        sources = range(len(self.tracks[0].stems))
        remix = rng.random() < self.config.remix
        place = self._place(rng)
        stems = []
        for stem in sources:
            track, start = self._place(rng) if remix else place
            stems.append(track.read(stem, start, self.segment))
        return torch.stack(stems)

    def _place(self, rng: np.random.Generator) -> tuple[TrackFolder, int]:
        track = self.tracks[int(rng.integers(len(self.tracks)))]
        return track, int(rng.integers(max(1, track.length - self.segment + 1)))
