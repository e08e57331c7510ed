"""`streamsep render`: songs with known stems, to train with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from streamsep.errors import ConfigError

__all__ = ["render"]


def render(
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder for the songs, one folder each.")
    ],
    count: Annotated[
        int,
        typer.Option(
            "--count", metavar="N", min=1, help="Songs wanted; those already there count."
        ),
    ] = 20,
    seconds: Annotated[
        float,
        typer.Option("--seconds", metavar="S", min=1.0, max=3600.0, help="Length of each song."),
    ] = 60.0,
    first_seed: Annotated[
        int,
        typer.Option(
            "--first-seed", metavar="N", min=0, help="The first song's number; others follow it."
        ),
    ] = 0,
    band: Annotated[
        Literal["procedural", "sampled"],
        typer.Option("--band", help="Who plays: numpy alone, or sampled instruments and a voice."),
    ] = "procedural",
    soundfont: Annotated[
        list[Path] | None,
        typer.Option(
            "--soundfont",
            metavar="FILE",
            help="A SoundFont 2 file for the sampled band; repeatable.",
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            "-j",
            metavar="N",
            min=1,
            help="Songs rendered at the same time.",
            show_default="cores",
        ),
    ] = None,
) -> None:
    """Compose and play songs, and write their stems as a training set.

    A song is a function of its seed, its length, the band and the band's soundfonts, so two runs
    with the same options and soundfonts make the same songs. A run that was interrupted goes on
    where it stopped; songs that were rendered in another way are refused. Keep the seeds of
    training and test songs apart, and their folders.
    """
    if soundfont and band != "sampled":
        raise ConfigError("--soundfont is for the sampled band; add --band sampled or leave it out")
    from streamsep.training.render import render_songs

    songs = render_songs(
        out,
        count=count,
        duration_s=seconds,
        first_seed=first_seed,
        band=band,
        soundfonts=soundfont or None,
        jobs=jobs or os.cpu_count() or 1,
    )
    typer.echo(f"{len(songs)} song{'s' * (len(songs) != 1)} in {out}")
