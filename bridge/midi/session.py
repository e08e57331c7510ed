"""A controller at work on the mixer's controls."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from bridge.midi.dialogue import Dialogue
from bridge.midi.interpreter import MidiInterpreter
from bridge.midi_port.port import MidiPort
from bridge.midi_port.reports import Messages, Opened, Unplugged, Unreachable
from streamsep.closing import Closing
from streamsep.config.midi_map import MidiMap, load_midi_map

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.midi.dialogue import LearnRequest
    from bridge.mixing import MixControls

__all__ = ["MidiSession", "open_midi", "say"]

_QUIET_S = 0.02
"""After so long without a message, none is under way."""


class MidiSession(Closing):
    """Turns the controls as the controller says, and its lights as the controls stand.

    A thread of its own does it, so a fader is as fast as its port, however rarely `poll` is called.

    Args:
        midi_map: what the messages mean.
        controls: what is turned. Others may turn them too; lights and motors follow.
        port: part of the port's name, in place of the map's.
        api: as `MidiPort` takes it.
        learn: what to learn while it plays.
    """

    def __init__(
        self,
        midi_map: MidiMap,
        controls: MixControls,
        *,
        port: str | None = None,
        api: str = "auto",
        learn: LearnRequest | None = None,
    ) -> None:
        self.map = midi_map
        self.connected: str | None = None
        """Name of the open port; None while there is none."""
        self.received = 0
        """Messages that have come."""
        self.changed = 0
        """Changes that they made."""
        self._controls = controls
        self._interpreter = MidiInterpreter(midi_map, controls)
        self._port = MidiPort(midi_map.port if port is None else port, api=api)
        self._news: deque[str] = deque(maxlen=100)
        self._last_news = ""
        if self._interpreter.absent:
            missing = ", ".join(self._interpreter.absent)
            self._tell(f"the map {midi_map.name} has controls that this mixer has not: {missing}")
        self._lesson = (
            None if learn is None else Dialogue(learn, midi_map, self._interpreter, controls)
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="midi", daemon=True)
        self._thread.start()

    @property
    def child_pid(self) -> int | None:
        """Of the process that has the port."""
        return self._port.child_pid

    def poll(self) -> list[str]:
        """What is new since the last call, in lines for people; returns at once."""
        return [self._news.popleft() for _ in range(len(self._news))]

    def answer(self, word: str) -> None:
        """What somebody types who is asked for a control; see `HELP`."""
        if self._lesson is not None:
            self._lesson.words.put(word)

    def close(self) -> None:
        """Let go of the controller; the controls stay as they are."""
        self._stop.set()
        self._thread.join()
        self._port.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            report = self._port.next(_QUIET_S)
            if isinstance(report, Messages):
                self._obey(report)
            elif report is None:
                self._apply_rest()
            else:
                self._take(report)
            if self._lesson is not None:
                for line in self._lesson.take_news():
                    self._tell(line)
            if self.connected is not None:
                for message in self._interpreter.feedback():
                    self._port.send(message)

    def _obey(self, report: Messages) -> None:
        for message in report.messages:
            self.received += 1
            if self._lesson is not None and not self._interpreter.knows(message):
                # What is learnt by this message shall not be turned by it.
                self._lesson.hear(message)
                continue
            for change in self._interpreter.feed(message):
                self.changed += 1
                self._controls.set(change.control, change.value)

    def _apply_rest(self) -> None:
        for change in self._interpreter.settle():
            self.changed += 1
            self._controls.set(change.control, change.value)

    def _take(self, report: Opened | Unplugged | Unreachable) -> None:
        if isinstance(report, Opened):
            self._interpreter.forget_controller()
            if self._lesson is not None:
                self._lesson.opened(report)
        self.connected = report.port if isinstance(report, Opened) else None
        self._tell(say(report))

    def _tell(self, line: str) -> None:
        if line != self._last_news:
            self._last_news = line
            self._news.append(f"MIDI: {line}")


def say(report: Opened | Unplugged | Unreachable) -> str:
    """What has become of a port, in a line for people."""
    match report:
        case Opened(port=port, shared=True):
            return f"port {port} is open, connect a controller to it"
        case Opened(port=port):
            return f"{port} is connected"
        case Unplugged(gone=gone) if gone:
            return f"{gone} has gone, waiting for it"
        case Unplugged(wanted=wanted, others=others):
            return f"no port '{wanted}', waiting for it; there are {', '.join(others) or 'none'}"
        case Unreachable(text=text):
            return f"{text}, waiting for it"


def open_midi(
    map_or_name: MidiMap | str | Path,
    controls: MixControls,
    *,
    port: str | None = None,
    api: str = "auto",
    learn: LearnRequest | None = None,
) -> MidiSession:
    """Put a controller to work.

    Args:
        map_or_name: a map, or the name or file of one.
        controls: what it turns.
        port: part of the port's name, in place of the map's.
        api: `alsa`, `jack`, `coremidi`, `winmm`, or `auto` for the first one that answers.
        learn: what to learn while it plays; `answer` takes what somebody types.

    Returns:
        A context manager; call its `poll` now and then for what there is to say.

    Raises:
        ConfigError: there is no such map or api, or the map is wrong.
    """
    found = map_or_name if isinstance(map_or_name, MidiMap) else load_midi_map(map_or_name)
    return MidiSession(found, controls, port=port, api=api, learn=learn)
