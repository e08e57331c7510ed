"""Songs with known stems, written for the tests of evaluation."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import soundfile
import torch
from offline.material import STEMS, noise, write

from streamsep.engine import OverlapConfig, StreamConfig
from streamsep.evaluation.methods import Live, Offline
from streamsep.evaluation.songs import find_songs

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from streamsep.evaluation.runner import Outcome
    from streamsep.evaluation.songs import Song
    from streamsep.models import LoadedModel

__all__ = ["LIVE", "OFFLINE", "RATE", "Diary", "killed", "read_stems", "songs_in", "write_song"]

RATE = 44_100
OFFLINE = Offline(OverlapConfig(segment=4096))
LIVE = Live("short", StreamConfig(context=4096, hop=2048, look_ahead=2048, crossfade=1024))


def write_song(
    folder: Path,
    *,
    length: int = 30_000,
    seed: int = 0,
    silent: tuple[str, ...] = (),
    suffix: str = ".wav",
    stems: tuple[str, ...] = STEMS,
    channels: int = 2,
) -> Path:
    """A song whose stems are noises of different levels."""
    for number, stem in enumerate(stems):
        level = 0.0 if stem in silent else 0.1 * (1 + number)
        audio = noise(channels, length, seed=10 * seed + number, level=level)
        write(folder / f"{stem}{suffix}", audio)
    return folder


def songs_in(
    folder: Path, stems: tuple[str, ...] = STEMS, channels: int = 2, **options: bool
) -> list[Song]:
    """The songs of a folder, of which there must be some."""
    return find_songs(folder, stems, RATE, channels, **options)


def read_stems(song: Song) -> Tensor:
    """All stems [S, C, T], read without our own readers."""
    files = [
        soundfile.read(path, dtype="float32", always_2d=True)[0].T for path in song.track.stems
    ]
    return torch.stack([torch.from_numpy(audio.copy()) for audio in files])


class Diary:
    """An observer that writes down what it is told."""

    def __init__(self) -> None:
        self.work = 0.0
        self.outcomes: list[Outcome] = []

    def advanced(self, work: float) -> None:
        self.work += work

    def ended(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)


def killed() -> LoadedModel:
    """Does to its process what a system without memory does."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError
