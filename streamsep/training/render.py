"""Rendering songs with known stems to disk, as a training set.

    out/
    ├── sampled-1000/        drums.flac  bass.flac  other.flac  vocals.flac  render.json
    └── procedural-500000/   ...

A song's folder appears under its name only when it is whole, with the recipe it was made by, so
that a run that was interrupted goes on where it stopped: what exists is not rendered again. One
process renders one song at a time and knows no other, so songs are rendered as fast as there are
cores.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch

from streamsep.errors import ConfigError, MissingToolError
from streamsep.synthesis.composer import compose
from streamsep.training.alone import alone_in
from streamsep.training.render_recipe import (
    RECIPE,
    BandName,
    RenderRecipe,
    check_rendered,
    soundfonts_of,
)
from streamsep.training.whole_songs import clear_away, whole_folder, write_stems
from streamsep.training.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from streamsep.synthesis.score import Score
    from streamsep.synthesis.song import Song

__all__ = ["SAMPLE_RATE", "BandName", "render_songs"]

SAMPLE_RATE = 44100
"""Samples per second of every song rendered."""


class _Band(Protocol):
    def play(self, score: Score, seed: int) -> Song: ...


@dataclass(frozen=True, slots=True)
class _Order:
    """One song to render; crosses to the worker process."""

    folder: Path
    recipe: RenderRecipe
    soundfonts: tuple[Path, ...]


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

    A song is a function of its seed, its length, its band and the band's soundfonts. Where the
    default soundfonts are not installed, songs that are all there are taken whatever theirs are.

    Args:
        out: folder for the songs' folders; made where missing.
        count: how many songs, the existing ones included.
        duration_s: length of each song, seconds.
        first_seed: songs have the seeds from here on.
        band: who plays.
        soundfonts: for the sampled band: SoundFont 2 files in place of the default ones that are
            installed.
        jobs: songs rendered at the same time.

    Returns:
        The songs' folders in order of their seeds.

    Raises:
        ConfigError: a number is out of range.
        InputError: a soundfont is not there.
        MissingToolError: a song is missing, and what the sampled band needs is not installed.
        OutputError: a folder or file cannot be written, or holds a song rendered in another way.
    """
    if count < 1 or jobs < 1 or not 0.0 < duration_s < math.inf:
        raise ConfigError(
            f"cannot render {count} songs of {duration_s} s with {jobs} jobs; "
            "all three must be above 0 and finite"
        )
    seeds = range(first_seed, first_seed + count)
    folders = {seed: out / f"{band}-{seed}" for seed in seeds}
    with alone_in(out):
        are_all_there = all(folder.exists() for folder in folders.values())
        fonts = _fonts(band, soundfonts, may_lack=are_all_there)
        orders = _orders(folders, duration_s, band, fonts or ())
        check_rendered(
            {order.folder: order.recipe for order in orders if order.folder.exists()},
            compare_soundfonts=fonts is not None,
        )
        missing = [order for order in orders if not order.folder.exists()]
        with Workshop(jobs) as workshop:
            workshop.do(_render, missing, title="rendering songs", done_before=count - len(missing))
        clear_away(out)
    return list(folders.values())


def _orders(
    folders: Mapping[int, Path], duration_s: float, band: BandName, fonts: tuple[Path, ...]
) -> list[_Order]:
    """One for every seed, whether its song is there or not."""
    known = soundfonts_of(fonts)
    recipes = (
        RenderRecipe(
            band=band, seed=seed, seconds=duration_s, sample_rate=SAMPLE_RATE, soundfonts=known
        )
        for seed in folders
    )
    return [_Order(folders[recipe.seed], recipe, fonts) for recipe in recipes]


def _fonts(
    band: BandName, soundfonts: Sequence[Path] | None, *, may_lack: bool
) -> tuple[Path, ...] | None:
    """The files that the band plays; None where none is installed and it may lack them."""
    if band == "procedural":
        return ()
    if soundfonts is not None:
        return tuple(soundfonts)
    from streamsep.synthesis.sampled.tools import find_soundfonts

    try:
        return find_soundfonts()
    except MissingToolError:
        if may_lack:  # nobody has to play
            return None
        raise


def _render(order: _Order) -> None:
    """Render one song in this process."""
    recipe = order.recipe
    score = compose(recipe.seed, recipe.seconds)
    song = _hire(recipe.band, order.soundfonts).play(score, recipe.seed)
    with whole_folder(order.folder) as folder:
        stems: dict[str, torch.Tensor] = {
            stem: torch.from_numpy(audio) for stem, audio in song.stems.items()
        }
        write_stems(folder, stems, song.sample_rate)
        (folder / RECIPE).write_text(recipe.model_dump_json(indent=2) + "\n", "utf-8")


@functools.lru_cache(maxsize=1)
def _hire(band: BandName, soundfonts: tuple[Path, ...]) -> _Band:
    """The band of this process; imported late, because each needs what the other does not."""
    if band == "sampled":
        from streamsep.synthesis.sampled import SampledBand

        return SampledBand(soundfonts, SAMPLE_RATE)
    from streamsep.synthesis.procedural import ProceduralBand

    return ProceduralBand(SAMPLE_RATE)
