"""The options of `streamsep separate`: their flags, ranges and help."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "ClipMode",
    "ClipModeChoice",
    "Consistency",
    "ConsistencyChoice",
    "Device",
    "Download",
    "Filename",
    "Flac",
    "Float32",
    "Int24",
    "Jobs",
    "JsonLines",
    "LatencyPresetName",
    "ListModels",
    "ModelName",
    "Mp3",
    "Mp3Bitrate",
    "OtherMethod",
    "OtherMethodChoice",
    "OutFolder",
    "Overlap",
    "Precision",
    "PrecisionChoice",
    "Refinement",
    "RefinementChoice",
    "Seed",
    "Segment",
    "Shifts",
    "SkipExisting",
    "Tracks",
    "TwoStems",
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


class ClipMode(StrEnum):
    """Values of --clip-mode."""

    RESCALE = "rescale"
    CLAMP = "clamp"
    NONE = "none"


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

OutFolder = Annotated[Path, typer.Option("-o", "--out", help="Folder for the stems.")]

Filename = Annotated[
    str,
    typer.Option(
        help="Path of a stem below OUT/MODEL; may use {track}, {trackext}, {stem}, {ext}."
    ),
]

Device = Annotated[
    str, typer.Option("-d", "--device", help="cpu, cuda, cuda:1, mps; auto: the fastest here.")
]

PrecisionChoice = Annotated[
    Precision,
    typer.Option(
        "--precision",
        help="Of Hybrid Demucs on a CPU: bfloat16 is faster where the CPU has instructions for "
        "it, and the same to about 45 dB; auto takes it there.",
    ),
]

Shifts = Annotated[
    int,
    typer.Option(
        min=0, max=100, help="Average this many passes with random delays: better, slower."
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

Segment = Annotated[
    float | None,
    typer.Option(
        max=600.0,
        help="Seconds the network sees at once, rounded to its grid; less takes less memory. "
        "[default: the model's]",
    ),
]

LatencyPresetName = Annotated[
    str | None,
    typer.Option(
        help="Separate as the live engine would: a name from 'streamsep presets' or a file."
    ),
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

TwoStems = Annotated[str | None, typer.Option(metavar="STEM", help="Write only STEM and no_STEM.")]

OtherMethodChoice = Annotated[
    OtherMethod,
    typer.Option(
        help="With --two-stems: no_STEM is the sum of the other stems (add), the mix minus "
        "STEM (minus), or not written (none)."
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

Flac = Annotated[bool, typer.Option("--flac", help="Write flac.")]

Mp3 = Annotated[bool, typer.Option("--mp3", help="Write mp3.")]

Mp3Bitrate = Annotated[int, typer.Option(help="kbit/s of mp3.")]

Jobs = Annotated[
    int, typer.Option("-j", "--jobs", min=1, help="Tracks separated at the same time.")
]

SkipExisting = Annotated[
    bool, typer.Option("--skip-existing", help="Leave out tracks whose stems are all there.")
]

Seed = Annotated[int, typer.Option(help="Decides the random delays of --shifts.")]

Download = Annotated[
    bool, typer.Option(help="Whether a network that is not here may be downloaded.")
]

ListModels = Annotated[bool, typer.Option("--list-models", help="List the networks and stop.")]

JsonLines = Annotated[
    bool, typer.Option("--json", help="Print one JSON object per track instead of text.")
]
