"""The options that many commands share: their flags, ranges and help."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "AsJson",
    "CacheDir",
    "Consistency",
    "ConsistencyChoice",
    "Device",
    "Download",
    "LatencyPresetName",
    "ModelName",
    "Refinement",
    "RefinementChoice",
    "Segment",
    "Shifts",
]


class Consistency(StrEnum):
    """Values of --consistency."""

    OFF = "off"
    OTHER = "other"
    ENERGY = "energy"


class Refinement(StrEnum):
    """Values of --refine."""

    OFF = "off"
    WIENER = "wiener"


CacheDir = Annotated[
    Path | None,
    typer.Option(
        "--cache-dir",
        metavar="FOLDER",
        envvar="STREAMSEP_CACHE_DIR",
        help="Folder of downloaded networks.",
        show_default="this system's cache folder",
    ),
]
"""Option of every subcommand that looks for networks."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead, for other programs.")]
"""Option of every subcommand whose output is a list."""

ModelName = Annotated[
    str,
    typer.Option(
        "-n",
        "--model",
        "--name",
        help="The network: a name from 'streamsep models', a file of weights, the YAML file of a "
        "bag, or auto: the best published Hybrid Demucs on this machine, else downloaded (167 MB), "
        "else the built-in starter.",
    ),
]

Device = Annotated[
    str, typer.Option("-d", "--device", help="cpu, cuda, cuda:1, mps; auto: the fastest here.")
]

Download = Annotated[
    bool, typer.Option(help="Whether a network that is not here may be downloaded.")
]

ConsistencyChoice = Annotated[
    Consistency,
    typer.Option(
        help="Make the stems sum to the mix: 'other' adds the remainder to the stem other, "
        "'energy' spreads it over all stems by their energy."
    ),
]

RefinementChoice = Annotated[
    Refinement,
    typer.Option(
        help="wiener: redistribute the mixture among the stems in proportion to the estimates "
        "(a Wiener filter); the stems then sum to the mix; adds no latency."
    ),
]

LatencyPresetName = Annotated[
    str | None,
    typer.Option(
        help="Separate as the live engine would: a name from 'streamsep presets' or a file."
    ),
]

Segment = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        max=600.0,
        help="Seconds the network sees at once, rounded to its grid; less takes less memory. "
        "[default: the model's]",
    ),
]

Shifts = Annotated[
    int,
    typer.Option(
        min=0, max=100, help="Average this many passes with random delays: better, slower."
    ),
]
