"""The options that only `streamsep separate` has: their flags and help."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "Filename",
    "Flac",
    "ListModels",
    "Mp3",
    "OtherMethod",
    "OtherMethodChoice",
    "OutFolder",
    "SkipExisting",
    "TwoStems",
]


class OtherMethod(StrEnum):
    """Values of --other-method."""

    NONE = "none"
    ADD = "add"
    MINUS = "minus"


OutFolder = Annotated[Path, typer.Option("-o", "--out", help="Folder for the stems.")]

Filename = Annotated[
    str,
    typer.Option(
        help="Path of a stem below OUT/MODEL; may use {track}, {trackext}, {stem}, {ext}."
    ),
]

TwoStems = Annotated[str | None, typer.Option(metavar="STEM", help="Write only STEM and no_STEM.")]

OtherMethodChoice = Annotated[
    OtherMethod | None,
    typer.Option(
        show_default="add",
        help="With --two-stems: no_STEM is the sum of the other stems (add), the mix minus "
        "STEM (minus), or not written (none).",
    ),
]

Flac = Annotated[bool, typer.Option("--flac", help="Write flac.")]

Mp3 = Annotated[bool, typer.Option("--mp3", help="Write mp3.")]

SkipExisting = Annotated[
    bool, typer.Option("--skip-existing", help="Leave out tracks whose stems are all there.")
]

ListModels = Annotated[bool, typer.Option("--list-models", help="List the networks and stop.")]
