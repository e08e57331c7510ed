"""Finds out which fader or button shall turn what, by asking for one control after the other.

No port and no screen: whoever has them shows `asked`, feeds messages and lets time pass. A fader is
known when it has been moved for a while and then rests: only then is it sure whether it sends pairs
of 14 bits. A button is known when it is let go. One that is never let go remembers its state by
itself, so the switch follows it instead of being toggled.

What has been given to a control is deaf from then on: a fader that still runs out when the next
control is asked for is not taken twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.midi.messages import MidiKind, decode_message
from bridge.mixing import Control
from streamsep.config.midi_map import ButtonBinding, FaderBinding, MidiMap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.midi.messages import MidiEvent

__all__ = ["MidiLearner"]

_REST_S = 0.4
"""A fader that has not moved for so long has arrived."""
_HELD_S = 2.0
"""A button that is not let go in this time never says so."""
_FEWEST_VALUES = 8
"""A fader goes through more values than a button has."""
_PRESSED = 64
_FINE = 32
"""How far the fine half of a pair lies above the coarse one, by the standard."""

Source = tuple[MidiKind, int | None, int]
"""Kind, number and channel."""


class MidiLearner:
    """A map in the making.

    Args:
        controls: what to ask for, by name, in this order.
    """

    def __init__(self, controls: Sequence[str]) -> None:
        self._controls = [Control.parse(name) for name in controls]
        self._found: dict[Control, FaderBinding | ButtonBinding] = {}
        self._next = 0
        self._begin()

    @property
    def asked(self) -> Control | None:
        """What is to be moved now; None when all has been asked for."""
        return self._controls[self._next] if self._next < len(self._controls) else None

    @property
    def found(self) -> int:
        """How many controls have been given."""
        return len(self._found)

    def feed(self, message: Sequence[int], now_s: float) -> FaderBinding | ButtonBinding | None:
        """Take in a message.

        Args:
            message: its bytes.
            now_s: the time, from any beginning.

        Returns:
            What the control that was asked for has got by it.
        """
        event = decode_message(message)
        control = self.asked
        if event is None or control is None:
            return None
        source = (event.kind, event.number, event.channel)
        if source in self._taken():
            return None
        self._heard_s = now_s
        if control.parameter.is_switch:
            return self._press(control, source, event)
        if event.kind is not MidiKind.NOTE:
            self._values.setdefault(source, set()).add(event.value)
        return None

    def pass_time(self, now_s: float) -> FaderBinding | ButtonBinding | None:
        """Say how late it is; a fader that rests is known by it."""
        control = self.asked
        if control is None:
            return None
        silent_s = now_s - self._heard_s
        if control.parameter.is_switch:
            if self._down is None or silent_s < _HELD_S:
                return None
            return self._give(control, _button(control, self._down, "momentary"))
        if silent_s < _REST_S or not self._values:
            return None
        source = max(self._values, key=lambda each: len(self._values[each]))
        if len(self._values[source]) < _FEWEST_VALUES:
            return None
        return self._give(control, self._fader(control, source))

    def skip(self) -> None:
        """Leave the control that is asked for without anything."""
        self._next = min(self._next + 1, len(self._controls))
        self._begin()

    def back(self) -> None:
        """Ask for the last control again."""
        self._next = max(0, self._next - 1)
        if self.asked is not None:
            self._found.pop(self.asked, None)
        self._begin()

    def learnt(self, name: str, *, description: str, port: str) -> MidiMap:
        """The map.

        Args:
            name: what it is called.
            description: one line.
            port: part of the name of the controller's port.
        """
        found = self._found.values()
        return MidiMap(
            name=name,
            description=description,
            port=port,
            faders=tuple(each for each in found if isinstance(each, FaderBinding)),
            buttons=tuple(each for each in found if isinstance(each, ButtonBinding)),
        )

    def _begin(self) -> None:
        """Listen for something new."""
        self._values: dict[Source, set[int]] = {}
        self._down: Source | None = None
        self._heard_s = 0.0

    def _taken(self) -> set[Source]:
        return {
            (MidiKind(kind), number, binding.channel or 1)
            for binding in self._found.values()
            for kind, number in binding.messages()
        }

    def _press(
        self, control: Control, source: Source, event: MidiEvent
    ) -> FaderBinding | ButtonBinding | None:
        if event.kind is MidiKind.PITCH_BEND:
            return None
        threshold = 1 if event.kind is MidiKind.NOTE else _PRESSED
        if event.value >= threshold:
            self._down = source
            return None
        if source != self._down:
            return None
        return self._give(control, _button(control, source, "toggle"))

    def _fader(self, control: Control, source: Source) -> FaderBinding:
        kind, number, channel = source
        if number is None:
            return FaderBinding(control=str(control), pitch_bend=True, channel=channel)
        # Of a pair, the fine half takes more values than the coarse one.
        coarse, fine = number % _FINE, number % _FINE + _FINE
        is_pair = all((kind, half, channel) in self._values for half in (coarse, fine))
        if number < 2 * _FINE and is_pair:
            return FaderBinding(control=str(control), cc=coarse, fine_cc=fine, channel=channel)
        return FaderBinding(control=str(control), cc=number, channel=channel)

    def _give(
        self, control: Control, binding: FaderBinding | ButtonBinding
    ) -> FaderBinding | ButtonBinding:
        self._found[control] = binding
        self.skip()
        return binding


def _button(control: Control, source: Source, mode: str) -> ButtonBinding:
    kind, number, channel = source
    return ButtonBinding.model_validate(
        {"control": str(control), kind.value: number, "channel": channel, "mode": mode}
    )
