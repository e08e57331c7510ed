"""The options of commands that make files of tracks, `separate` and `board`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "ClipMode",
    "ClipModeChoice",
    "Float32",
    "Incremental",
    "Int24",
    "Jobs",
    "JsonLines",
    "Mp3Bitrate",
    "Overlap",
    "Precision",
    "PrecisionChoice",
    "Seed",
    "Tracks",
]


class ClipMode(StrEnum):
    """Values of --clip-mode."""

    RESCALE = "rescale"
    CLAMP = "clamp"
    NONE = "none"


class Precision(StrEnum):
    """Values of --precision."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    AUTO = "auto"


Tracks = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="FILE|DIR...",
        help="Audio files, and folders that are searched for them. Any format libsndfile "
        "reads, and ffmpeg's where ffmpeg is installed; any sample rate from 1 Hz to 384 kHz. "
        "Stems keep the file's rate and channels: mono comes back mono, and more than two "
        "channels are separated in pairs (1-2, 3-4, ...), a last odd one by itself.",
    ),
]

Overlap = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        max=0.99,
        help="Overlap of segments. [default: the model's; 0.25 with --segment]",
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

Incremental = Annotated[
    bool | None,
    typer.Option(
        "--incremental/--exact",
        help="With --latency-preset: keep from hop to hop what the network can keep, as the live "
        "engine does, or recompute every segment, which takes far longer.",
        show_default="incremental on a CPU",
    ),
]

Int24 = Annotated[bool, typer.Option("--int24", help="24-bit instead of 16-bit.")]

Float32 = Annotated[bool, typer.Option("--float32", help="32-bit float wav.")]

ClipModeChoice = Annotated[
    ClipMode | None,
    typer.Option(
        help="Samples beyond full scale: clamp them, rescale all stems of the track by one "
        "gain, or none (float32 only). [default: clamp; none for --float32]"
    ),
]

Mp3Bitrate = Annotated[int | None, typer.Option(help="kbit/s of mp3.", show_default="320")]

Jobs = Annotated[
    int, typer.Option("-j", "--jobs", min=1, help="Tracks separated at the same time.")
]

Seed = Annotated[int, typer.Option(help="Decides the random delays of --shifts.")]

JsonLines = Annotated[
    bool, typer.Option("--json", help="Print one JSON object per track instead of text.")
]
