"""Teaching a map: the dialogue of `streamsep midi --learn`."""

from __future__ import annotations

import queue
import re
import sys
import threading
import time
from typing import TYPE_CHECKING

import typer

from bridge.midi import MidiLearner, MidiPort
from bridge.midi.session import say
from bridge.midi_port.reports import Messages, Opened
from bridge.mixing import MixControls
from streamsep.config.midi_map import ButtonBinding, save_midi_map
from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bridge.midi_port.reports import Report
    from streamsep.config.midi_map import FaderBinding

__all__ = ["learn_map"]

_LOOK_S = 0.05
_HELP = "Enter leaves one out, b goes back, q ends and writes the map."


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
    name = re.sub(r"[^a-z0-9_-]+", "_", path.stem.lower()).strip("_-")
    if path.suffix not in (".yaml", ".yml") or not name:
        raise ConfigError(f"'{path}' is no name for a map, expected one such as my_faders.yaml")
    learner = MidiLearner(MixControls(stems).names())
    with MidiPort(port or "", api=api) as source:
        typer.echo(_HELP, err=True)
        opened = _ask(learner, source, _Keys())
    if not learner.found:
        raise ConfigError("nothing was moved, so no map was written")
    # What comes after the first colon are names of single ports, and numbers that change.
    device = "" if opened is None or opened.shared else opened.port.partition(":")[0]
    learnt = learner.learnt(
        name, description=f"learnt from {device or 'the port of streamsep'}", port=device
    )
    save_midi_map(learnt, path)
    typer.echo(f"wrote {path}, {learner.found} controls; try it: streamsep live --midi {path}")


class _Keys:
    """Lines that are typed, without waiting for them."""

    def __init__(self) -> None:
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def typed(self) -> str | None:
        """The next line; None if none has been typed."""
        return None if self._lines.empty() else self._lines.get()

    def _read(self) -> None:
        for line in sys.stdin:
            self._lines.put(line.strip().lower())


def _ask(learner: MidiLearner, source: MidiPort, keys: _Keys) -> Opened | None:
    """Go through the controls; what the controller's port turned out to be."""
    opened: Opened | None = None
    asked = None
    while learner.asked is not None:
        if learner.asked != asked:
            asked = learner.asked
            how = "press its button" if asked.parameter.is_switch else "move its fader up and down"
            typer.echo(f"{asked}: {how}", err=True)
        report = source.next(_LOOK_S)
        if isinstance(report, Opened):
            opened = report
        _hear(learner, report)
        line = keys.typed()
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
            typer.echo(f"  {_describe(binding)}", err=True)


def _describe(binding: FaderBinding | ButtonBinding) -> str:
    what = ", ".join(
        kind if number is None else f"{kind} {number}" for kind, number in binding.messages()
    )
    mode = f", {binding.mode}" if isinstance(binding, ButtonBinding) else ""
    return f"{what} on channel {binding.channel}{mode}"
