"""The options of `streamsep live`: their flags and help. What is not given, the file decides."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streamsep.cli.device_precision import DevicePrecision
from streamsep.cli.shared_options import Consistency

__all__ = [
    "Block",
    "ConfigFile",
    "ConsistencyChoice",
    "Duration",
    "EnginePrecision",
    "Exact",
    "Gains",
    "Input",
    "InputChannels",
    "JsonLines",
    "LiveModel",
    "LivePreset",
    "Master",
    "MidiLearn",
    "MidiLearnControls",
    "MidiMapName",
    "MidiPortName",
    "Mute",
    "Output",
    "Quiet",
    "Record",
    "Routes",
    "SameClock",
    "SampleRate",
    "Solo",
    "Wet",
]

Input = Annotated[
    str | None,
    typer.Option(
        "-i",
        "--input",
        metavar="DEVICE",
        help="Input device: name, part of a name, or number; see 'streamsep devices'.",
        show_default="JACK's, else the system's",
    ),
]
Output = Annotated[
    str | None,
    typer.Option(
        "-o", "--output", metavar="DEVICE", help="Output device.", show_default="the input's"
    ),
]
SameClock = Annotated[
    bool,
    typer.Option("--same-clock", help="Input and output are two ends of one interface."),
]
InputChannels = Annotated[
    str | None,
    typer.Option("--input-channels", metavar="A-B", help="What to separate.", show_default="1-2"),
]
Routes = Annotated[
    list[str] | None,
    typer.Option(
        "-r",
        "--route",
        metavar="SOURCE:OUTPUTS[:DB]",
        help="What plays where: a stem, mix (all stems by their gains) or dry (the delayed input), "
        "such as vocals:1-2. May be given several times.",
        show_default="mix:1-2",
    ),
]
Gains = Annotated[
    list[str] | None,
    typer.Option("-g", "--gain", metavar="STEM=DB", help="Gain of a stem. May be repeated."),
]
Mute = Annotated[
    list[str] | None, typer.Option("--mute", metavar="STEM", help="Silence a stem at first.")
]
Solo = Annotated[
    list[str] | None, typer.Option("--solo", metavar="STEM", help="Play a stem alone at first.")
]
Wet = Annotated[
    float | None,
    typer.Option(
        "--wet",
        metavar="0-1",
        min=0.0,
        max=1.0,
        help="0: delayed input, 1: stems.",
        show_default="1",
    ),
]
Master = Annotated[
    float | None,
    typer.Option("--master", metavar="DB", max=12.0, help="Gain of it all.", show_default="0"),
]
LivePreset = Annotated[
    str | None,
    typer.Option(
        "-p",
        "--preset",
        metavar="NAME",
        help="Latency preset; see 'streamsep presets'.",
        show_default="the engine's, else live",
    ),
]
LiveModel = Annotated[
    str | None,
    typer.Option(
        "-n",
        "--model",
        "--name",
        metavar="NAME",
        help="The network of an engine that has to be started; one that runs must have it.",
        show_default="auto",
    ),
]
Exact = Annotated[
    bool | None,
    typer.Option(
        "--exact/--incremental",
        help="An engine that has to be started computes every window anew, for a multiple of the "
        "work; or keeps from hop to hop what it can.",
        show_default="incremental on a processor",
    ),
]
EnginePrecision = Annotated[
    DevicePrecision | None,
    typer.Option(
        "--precision",
        help="How exactly an engine that has to be started computes; tf32 exists on CUDA devices.",
        show_default="as the network was made to",
    ),
]
ConsistencyChoice = Annotated[
    Consistency | None,
    typer.Option("--consistency", help="Make stems sum to the input.", show_default="the engine's"),
]
SampleRate = Annotated[
    int | None,
    typer.Option(
        "--sample-rate",
        metavar="HZ",
        min=4_000,
        max=384_000,
        show_default="the device's own",
        help="Open the device at this rate; at the network's own nothing is resampled.",
    ),
]
Block = Annotated[
    int | None,
    typer.Option(
        "--block",
        metavar="SAMPLES",
        min=1,
        max=65_536,
        help="The longest block that the device may deliver; part of the latency.",
        show_default="what it delivers",
    ),
]
ConfigFile = Annotated[
    str | None,
    typer.Option(
        "-c", "--config", metavar="FILE", help="Settings: a YAML file, or a name in configs/live."
    ),
]
Record = Annotated[
    Path | None,
    typer.Option("--record", metavar="DIR", help="Write the input and every stem while playing."),
]
MidiMapName = Annotated[
    str | None,
    typer.Option("--midi", metavar="MAP", help="MIDI controls: a map's name or its YAML file."),
]
MidiPortName = Annotated[
    str | None,
    typer.Option(
        "--midi-port", metavar="PORT", help="Part of the port's name.", show_default="the map's"
    ),
]
MidiLearn = Annotated[
    Path | None,
    typer.Option(
        "--midi-learn",
        metavar="FILE",
        help="Learn controls while it plays; write them, with those of --midi, to this map.",
    ),
]
MidiLearnControls = Annotated[
    list[str] | None,
    typer.Option(
        "--learn",
        metavar="CONTROL",
        help="With --midi-learn: what to learn, such as vocals.gain. May be repeated.",
        show_default="whatever has no control yet",
    ),
]
Duration = Annotated[
    float | None,
    typer.Option(
        "--duration", metavar="S", min=0.0, help="Stop after so long.", show_default="never"
    ),
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but errors.")]
JsonLines = Annotated[
    bool, typer.Option("--json", help="A JSON object a second on standard output.")
]
