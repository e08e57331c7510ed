"""`streamsep remix`: new songs from the stems of songs that fit, to fine-tune with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from streamsep.cli.stem_names import StemNames, read_stem_names

__all__ = ["remix"]


def remix(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="Folder of songs, see 'streamsep render'.")
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder for the remixes, one folder each.")
    ],
    copies: Annotated[
        int,
        typer.Option(
            "--copies", metavar="N", min=1, help="Remixes per song; those already there count."
        ),
    ] = 6,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", min=0, help="Decides who is combined with whom.")
    ] = 0,
    max_semitones: Annotated[
        int,
        typer.Option(
            "--max-semitones", metavar="N", min=0, max=6, help="The furthest transposition."
        ),
    ] = 3,
    max_tempo: Annotated[
        float,
        typer.Option(
            "--max-tempo",
            metavar="SHARE",
            min=0.0,
            max=0.3,
            help="The largest change of tempo; 0.15 is 15 %.",
        ),
    ] = 0.15,
    validation_share: Annotated[
        float,
        typer.Option(
            "--validation-share",
            metavar="SHARE",
            min=0.0,
            max=0.9,
            help="As in the training's configuration: the songs it judges by take no part.",
        ),
    ] = 0.0,
    stem_name: StemNames = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            "-j",
            metavar="N",
            min=1,
            help="Songs worked on at the same time.",
            show_default="cores",
        ),
    ] = None,
) -> None:
    """Combine stems of songs that fit in beat and key, and write them as a training set.

    Fine-tune with it what was trained on the songs themselves; do not begin with it. The same songs
    and options make the same remixes. A run that was interrupted goes on where it stopped.
    """
    from streamsep.training.remixing import RemixSettings, remix_songs

    settings = RemixSettings(seed=seed, max_semitones=max_semitones, max_tempo=max_tempo)
    made = remix_songs(
        data,
        out,
        copies=copies,
        settings=settings,
        jobs=jobs or os.cpu_count() or 1,
        validation_share=validation_share,
        stem_names=read_stem_names(stem_name or []),
    )
    typer.echo(f"{len(made.folders)} remixes of {made.hosts} of {made.songs} songs in {out}")
