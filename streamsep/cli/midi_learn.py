"""Teaching a map: the dialogue of `streamsep midi --learn`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import typer

from bridge.midi import MidiLearner, MidiPort
from bridge.midi.dialogue import HELP, ask_for, describe_binding, map_name
from bridge.midi.session import say
from bridge.midi_port.reports import Messages, Opened
from bridge.mixing import MixControls
from streamsep.cli.typed_lines import TypedLines
from streamsep.config.midi_map import save_midi_map
from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bridge.midi_port.reports import Report

__all__ = ["learn_map"]

_LOOK_S = 0.05


def learn_map(path: Path, stems: Sequence[str], *, port: str | None, api: str = "auto") -> None:
    """Ask for one control after the other and write what was moved.

    Args:
        path: where the map goes; an older one is replaced when all has been asked for.
        stems: whose controls to ask for.
        port: part of the name of the controller's port; None for a port of our own.
        api: as `MidiPort` takes it.

    Raises:
        ConfigError: the file's name is none for a map, or nothing was moved.
        OutputError: the map cannot be written.
    """
    name = map_name(path)
    learner = MidiLearner(MixControls(stems).names())
    with MidiPort(port or "", api=api) as source:
        typer.echo(f"{HELP} Then the map is written.", err=True)
        opened = _ask(learner, source, TypedLines())
    if not learner.found:
        raise ConfigError("nothing was moved, so no map was written")
    # What comes after the first colon are names of single ports, and numbers that change.
    device = "" if opened is None or opened.shared else opened.port.partition(":")[0]
    learnt = learner.learnt(
        name, description=f"learnt from {device or 'the port of streamsep'}", port=device
    )
    save_midi_map(learnt, path)
    typer.echo(f"wrote {path}, {learner.found} controls; try it: streamsep live --midi {path}")


def _ask(learner: MidiLearner, source: MidiPort, keys: TypedLines) -> Opened | None:
    """Go through the controls; what the controller's port turned out to be."""
    opened: Opened | None = None
    asked = None
    while learner.asked is not None:
        if learner.asked != asked:
            asked = learner.asked
            typer.echo(ask_for(asked), err=True)
        report = source.next(_LOOK_S)
        if isinstance(report, Opened):
            opened = report
        _hear(learner, report)
        line = keys.next()
        if line == "q":
            break
        if line == "b":
            learner.back()
        elif line == "":
            learner.skip()
    return opened


def _hear(learner: MidiLearner, report: Report | None) -> None:
    now_s = time.monotonic()
    found = [learner.pass_time(now_s)]
    if isinstance(report, Messages):
        found += [learner.feed(message, now_s) for message in report.messages]
    elif report is not None:
        typer.echo(say(report), err=True)
    for binding in found:
        if binding is not None:
            typer.echo(f"  {describe_binding(binding)}", err=True)
