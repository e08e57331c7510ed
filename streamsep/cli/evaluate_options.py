"""The options of `streamsep evaluate` that no other command has: flags, ranges and help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "Data",
    "Incremental",
    "Metrics",
    "Presets",
    "Processes",
    "ResultsFolder",
    "Sweep",
    "SweepHops",
    "SweepLookAheads",
    "SweepSegments",
    "UseMixtureFile",
]

Data = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        help="Folder with a folder per song, each with a wav or flac per stem; or with such a "
        "folder called test.",
    ),
]

Presets = Annotated[
    list[str] | None,
    typer.Option(
        "-p",
        "--preset",
        metavar="NAME",
        help="Judge this latency preset too, a name from 'streamsep presets' or a file; "
        "repeatable.",
    ),
]

Incremental = Annotated[
    bool,
    typer.Option(
        "--incremental/--exact",
        help="Presets keep from hop to hop what the network can keep, as they do live on a "
        "processor; or compute every window anew, for scores that no device changes.",
    ),
]

ResultsFolder = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--out",
        metavar="FOLDER",
        help="Folder for the results; what it holds already is not measured again.",
        show_default="evaluated/MODEL/DATA, with MODEL being FOLDER-NAME-CHECKSUM for a file",
    ),
]

Metrics = Annotated[
    str, typer.Option(help="nsdr, or nsdr,bss: BSS Eval v4 takes long, and a song's memory.")
]

UseMixtureFile = Annotated[
    bool,
    typer.Option(
        "--use-mixture-file",
        help="Take mixture.wav beside the stems for the mixture, not the stems' sum.",
    ),
]

Sweep = Annotated[
    bool, typer.Option("--sweep", help="Measure quality against latency, by nSDR, over a grid.")
]

SweepHops = Annotated[
    str | None,
    typer.Option(metavar="N,N,...", help="Hops of the grid in samples. [default: 2048,8192,22528]"),
]

SweepLookAheads = Annotated[
    str | None,
    typer.Option(metavar="N,N,...", help="Look-aheads of the grid. [default: 0,2048,8192,45056]"),
]

SweepSegments = Annotated[
    str | None,
    typer.Option(metavar="N,N,...", help="Segments of the grid. [default: 67584,135168]"),
]

Processes = Annotated[
    int, typer.Option("-j", "--jobs", min=1, help="Songs judged at the same time, in processes.")
]
