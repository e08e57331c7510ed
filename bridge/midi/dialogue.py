"""What is said while controls are learnt, and the file that the map goes to.

The file is written after every control that has been learnt: a session that ends in any way leaves
what was learnt until then.
"""

from __future__ import annotations

import queue
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.midi.lesson import MidiLesson
from streamsep.config.midi_map import ButtonBinding, save_midi_map
from streamsep.errors import ConfigError, OutputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bridge.midi.interpreter import MidiInterpreter
    from bridge.midi_port.reports import Opened
    from bridge.mixing import Control, MixControls
    from streamsep.config.midi_map import FaderBinding, MidiMap

__all__ = ["HELP", "Dialogue", "LearnRequest", "ask_for", "describe_binding", "map_name"]

HELP = "Enter leaves one out, b goes back, q ends."


@dataclass(frozen=True, slots=True)
class LearnRequest:
    """What to learn while it plays.

    Attributes:
        path: where the map goes.
        controls: what to ask for, by name; empty for all that nothing turns yet.
    """

    path: Path
    controls: tuple[str, ...] = ()

    def names(self, midi_map: MidiMap, controls: MixControls) -> list[str]:
        """The controls of a mixer to ask for.

        Raises:
            ConfigError: there is no such control, or nothing to ask for.
        """
        for name in self.controls:
            controls.get(name)
        bound = {binding.control for binding in midi_map.bindings()}
        names = [*self.controls] or [name for name in controls.names() if name not in bound]
        if not names:
            raise ConfigError(
                f"the map {midi_map.name} has something for every control; name those to learn "
                "anew with --learn, such as --learn vocals.gain"
            )
        return names


class Dialogue:
    """A lesson with somebody who sees `take_news` and answers by `words`.

    Args:
        request: what to learn.
        midi_map: what is played with.
        interpreter: plays with it.
        controls: of the mixer.

    Raises:
        ConfigError: there is nothing to ask for.
    """

    def __init__(
        self,
        request: LearnRequest,
        midi_map: MidiMap,
        interpreter: MidiInterpreter,
        controls: MixControls,
    ) -> None:
        self.words: queue.SimpleQueue[str] = queue.SimpleQueue()
        """Enter as an empty word, b, q."""
        self._path = request.path
        self._lesson = MidiLesson(midi_map, interpreter, request.names(midi_map, controls))
        self._port = midi_map.port
        self._news: list[str] = []
        self._asked: Control | None = None
        self._begun = self._over = False

    def opened(self, report: Opened) -> None:
        """A port is there: the map shall name the controller that it was learnt from."""
        if not self._begun:
            self._begun = True
            self._news.append(HELP)
        # What comes after the first colon are names of single ports, and numbers that change.
        device = "" if report.shared else report.port.partition(":")[0]
        if device and (not self._port or self._port.casefold() not in report.port.casefold()):
            self._port = device

    def hear(self, message: Sequence[int]) -> None:
        """Take in a message, before it is obeyed."""
        if not self._over:
            self._take(self._lesson.feed(message, time.monotonic()))

    def take_news(self) -> list[str]:
        """Let time pass; lines for people."""
        if not self._over:
            self._take(self._lesson.pass_time(time.monotonic()))
            while not self.words.empty():
                word = self.words.get()
                if self._begun:  # what is typed before the first question answers none
                    self._answer(word)
            if self._begun:
                self._ask()
        news, self._news = self._news, []
        return news

    def _answer(self, word: str) -> None:
        if word == "":
            self._lesson.skip()
        elif word == "b":
            self._lesson.back()
        elif word == "q":
            self._lesson.finish()

    def _ask(self) -> None:
        asked = self._lesson.asked
        if asked is None:
            self._over = True
            self._news.append(f"{self._lesson.found} controls learnt")
        elif asked != self._asked:
            self._news.append(ask_for(asked))
        self._asked = asked

    def _take(self, binding: FaderBinding | ButtonBinding | None) -> None:
        if binding is None:
            return
        learnt = self._lesson.learnt(
            map_name(self._path),
            description=f"learnt from {self._port or 'the port of streamsep'}",
            port=self._port,
        )
        try:
            save_midi_map(learnt, self._path)
        except OutputError as error:
            self._news.append(str(error))
        else:
            self._news.append(
                f"{binding.control} is {describe_binding(binding)}; wrote {self._path}"
            )


def ask_for(control: Control) -> str:
    """What to do for a control, in words."""
    how = "press its button" if control.parameter.is_switch else "move its fader up and down"
    return f"{control}: {how}"


def describe_binding(binding: FaderBinding | ButtonBinding) -> str:
    """What a fader or button sends, in words."""
    what = ", ".join(
        kind if number is None else f"{kind} {number}" for kind, number in binding.messages()
    )
    mode = f", {binding.mode}" if isinstance(binding, ButtonBinding) else ""
    return f"{what} on channel {binding.channel}{mode}"


def map_name(path: Path) -> str:
    """The name of a map by that of its file.

    Raises:
        ConfigError: it is no name for a map.
    """
    name = re.sub(r"[^a-z0-9_-]+", "_", path.stem.lower()).strip("_-")
    if path.suffix not in (".yaml", ".yml") or not name:
        raise ConfigError(f"'{path}' is no name for a map, expected one such as my_faders.yaml")
    return name
