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
    "Precision",
    "PrecisionChoice",
    "SkipExisting",
    "TwoStems",
]


class Precision(StrEnum):
    """Values of --precision."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    AUTO = "auto"


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

PrecisionChoice = Annotated[
    Precision,
    typer.Option(
        "--precision",
        help="Of Hybrid Demucs on a CPU: bfloat16 is faster where the CPU has instructions for "
        "it, and the same to about 45 dB; auto takes it there.",
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
