"""`streamsep midi`: which controllers are there, what they send, and teaching a map."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamsep.cli.screen import new_table, output, show_json
from streamsep.cli.shared_options import AsJson

if TYPE_CHECKING:
    from bridge.midi import Change
    from streamsep.config.midi_map import MidiMap

__all__ = ["MidiApi", "midi"]

_TIMEOUT_S = 20.0
_MAP = "generic"
_STEMS = "drums,bass,other,vocals"

MidiApi = Annotated[
    str,
    typer.Option("--api", metavar="NAME", help="MIDI system: alsa, jack, coremidi, winmm or auto."),
]


def midi(
    learn: Annotated[
        Path | None,
        typer.Option(
            "--learn",
            metavar="FILE",
            help="Ask for one fader or button after the other; write a map.",
        ),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show what a controller sends, and what it means.")
    ] = False,
    port: Annotated[
        str | None,
        typer.Option(
            "--port",
            metavar="NAME",
            help="Part of the controller's name.",
            show_default="a port of our own that others connect to",
        ),
    ] = None,
    map_name: Annotated[
        str | None,
        typer.Option(
            "--map",
            metavar="MAP",
            help="With --watch: a map's name or its YAML file.",
            show_default=_MAP,
        ),
    ] = None,
    stems: Annotated[
        str | None,
        typer.Option(
            "--stems",
            metavar="NAMES",
            help="With --learn: whose controls to ask for.",
            show_default=_STEMS,
        ),
    ] = None,
    api: MidiApi = "auto",
    as_json: AsJson = False,
) -> None:
    """List MIDI ports and maps; or watch a controller; or teach what its faders and buttons turn.

    'streamsep live --midi MAP' puts a map to work. Ctrl-C ends --watch.
    """
    from streamsep.errors import ConfigError

    if learn is not None and watch:
        raise ConfigError("got both --learn and --watch, expected one of them")
    listing = learn is None and not watch
    for option, given, at_home, home in (
        ("--port", port is not None, not listing, "with --watch or --learn"),
        ("--api", api != "auto", not listing, "with --watch or --learn"),
        ("--map", map_name is not None, watch, "with --watch"),
        ("--stems", stems is not None, learn is not None, "with --learn"),
        ("--json", as_json, listing, "without --watch and --learn"),
    ):
        if given and not at_home:
            raise ConfigError(f"{option} goes {home}; leave it out, or see 'streamsep midi --help'")
    if learn is not None:
        from streamsep.cli.midi_learn import learn_map

        names = [name for name in (each.strip() for each in (stems or _STEMS).split(",")) if name]
        learn_map(learn, names, port=port, api=api)
    elif watch:
        from streamsep.config.midi_map import load_midi_map

        _watch(load_midi_map(map_name or _MAP), port, api)
    else:
        _list(as_json)


def _list(as_json: bool) -> None:
    """Show the ports of every MIDI system that answers, and the maps."""
    from streamsep.cli.checks.asking import ProbeError, ask_probe
    from streamsep.config.midi_map import load_midi_maps
    from streamsep.errors import MissingToolError

    try:
        facts = ask_probe("midi", _TIMEOUT_S)
    except ProbeError as error:
        raise MissingToolError(
            f"MIDI does not work here: {error}; see 'streamsep doctor'"
        ) from None
    maps = load_midi_maps()
    if as_json:
        described = {name: each.description for name, each in maps.items()}
        show_json({"ports": facts["ports"], "silent": facts["silent"], "maps": described})
        return
    ports = new_table(["system", "port"])
    for system, names in facts["ports"].items():
        for name in dict.fromkeys(names):
            ports.add_row(system, name)
    for system in facts["silent"]:
        ports.add_row(system, "does not answer")
    table = new_table(["map"], last="for")
    for name, each in maps.items():
        table.add_row(name, each.description)
    output().print(ports, table)


def _watch(midi_map: MidiMap, port: str | None, api: str) -> None:
    """Show messages until interrupted, and what the map makes of them."""
    from bridge.midi import MidiInterpreter, MidiPort
    from bridge.midi.session import say
    from bridge.midi_port.reports import Messages
    from bridge.mixing import MixControls

    controls = MixControls(midi_map.stems())
    interpreter = MidiInterpreter(midi_map, controls)

    def apply(changes: list[Change]) -> None:
        for change in changes:
            controls.set(change.control, change.value)
            typer.echo(f"  {change.control} = {change.value:.4g}")

    with MidiPort(midi_map.port if port is None else port, api=api) as source:
        while True:
            report = source.next(0.1)
            if report is None:
                apply(interpreter.settle())
            elif isinstance(report, Messages):
                for message in report.messages:
                    typer.echo(_spell(message))
                    apply(interpreter.feed(message))
            else:
                typer.echo(say(report), err=True)


def _spell(message: list[int]) -> str:
    """A message in words, or its bytes if it is of no kind that a map may name."""
    from bridge.midi.messages import decode_message

    event = decode_message(message)
    if event is None:
        return " ".join(f"{byte:02x}" for byte in message)
    number = "" if event.number is None else f" {event.number}"
    return f"{event.kind}{number} on channel {event.channel}: {event.value}"
