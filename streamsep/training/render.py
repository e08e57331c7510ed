"""Rendering songs with known stems to disk, as a training set.

    out/
    ├── sampled-1000/        drums.flac  bass.flac  other.flac  vocals.flac
    └── procedural-500000/   ...

A song's folder appears under its name only when it is whole, so that a run that was interrupted
goes on where it stopped: what exists is not rendered again. One process renders one song at a time
and knows no other, so songs are rendered as fast as there are cores.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import torch

from streamsep.errors import ConfigError
from streamsep.synthesis.composer import compose
from streamsep.training.alone import alone_in
from streamsep.training.whole_songs import (
    appearing_whole,
    clear_away,
    write_stems,
)
from streamsep.training.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from streamsep.synthesis.score import Score
    from streamsep.synthesis.song import Song

__all__ = ["SAMPLE_RATE", "BandName", "render_songs"]

SAMPLE_RATE = 44100
"""Samples per second of every song rendered."""

BandName = Literal["procedural", "sampled"]


class _Band(Protocol):
    def play(self, score: Score, seed: int) -> Song: ...


@dataclass(frozen=True, slots=True)
class _Order:
    """One song to render; crosses to the worker process."""

    out: Path
    band: BandName
    seed: int
    duration_s: float
    soundfonts: tuple[Path, ...] | None

    @property
    def folder(self) -> Path:
        return self.out / f"{self.band}-{self.seed}"


def render_songs(
    out: Path,
    *,
    count: int,
    duration_s: float,
    first_seed: int,
    band: BandName,
    soundfonts: Sequence[Path] | None = None,
    jobs: int,
) -> list[Path]:
    """Render songs that are not there yet, in parallel processes, with a progress bar.

    Args:
        out: folder for the songs' folders; made where missing.
        count: how many songs, the existing ones included.
        duration_s: length of each song, seconds.
        first_seed: songs have the seeds from here on; the seed decides all about a song.
        band: who plays.
        soundfonts: for the sampled band: SoundFont 2 files in place of the default ones.
        jobs: songs rendered at the same time.

    Returns:
        The songs' folders in order of their seeds.

    Raises:
        ConfigError: a number is out of range.
        MissingToolError: what the sampled band needs is not installed.
        OutputError: a folder or file cannot be written.
    """
    if count < 1 or jobs < 1 or duration_s <= 0.0:
        raise ConfigError(
            f"cannot render {count} songs of {duration_s} s with {jobs} jobs; "
            "all three numbers must be above 0"
        )
    fonts = tuple(soundfonts) if soundfonts is not None else None
    orders = [
        _Order(out, band, seed, duration_s, fonts) for seed in range(first_seed, first_seed + count)
    ]
    with alone_in(out):
        missing = [order for order in orders if not order.folder.is_dir()]
        with Workshop(jobs) as workshop:
            workshop.do(_render, missing, title="rendering songs", done_before=count - len(missing))
        clear_away(out)
    return [order.folder for order in orders]


def _render(order: _Order) -> None:
    """Render one song in this process."""
    score = compose(order.seed, order.duration_s)
    song = _hire(order.band, order.soundfonts).play(score, order.seed)
    with appearing_whole(order.folder) as folder:
        stems: dict[str, torch.Tensor] = {
            stem: torch.from_numpy(audio) for stem, audio in song.stems.items()
        }
        write_stems(folder, stems, song.sample_rate)


@functools.lru_cache(maxsize=1)
def _hire(band: BandName, soundfonts: tuple[Path, ...] | None) -> _Band:
    """The band of this process; imported late, because each needs what the other does not."""
    if band == "sampled":
        from streamsep.synthesis.sampled import SampledBand

        return SampledBand(soundfonts, SAMPLE_RATE)
    from streamsep.synthesis.procedural import ProceduralBand

    return ProceduralBand(SAMPLE_RATE)
