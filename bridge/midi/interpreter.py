"""What the messages of a controller mean for the mixer, and which lights it should show.

No port, no clock, no thread: messages go in, changes come out, and whoever has the port carries
both. Two things happen on the way.

**Pick-up.** A fader is rarely where the mixer is: it was moved while another map was loaded, or the
screen has turned the same gain since. Such a fader moves nothing until it has met the present value
or passed it::

    fader     ──╱╱╱╱╱╱╱╱╱
    control   ──────╱╱╱╱╱
                    ^ met

**Pairs.** A 14-bit fader sends a coarse half and a fine one. A coarse half by itself would be a
step back or forth of up to 1/128 of the way, so it waits for its fine half. A fader that lets one
wait until the next, or until `settle`, has nothing finer to send, and no longer waits for it.

Source: MIDI 1.0 Detailed Specification, Control Change, controllers 0 to 63.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.midi.messages import MidiEvent, MidiKind, decode_message, encode_message
from bridge.midi.taper import Taper
from bridge.mixing import Control
from streamsep.config.midi_map import ButtonBinding, FaderBinding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.mixing import MixControls
    from streamsep.config.midi_map import MidiMap

__all__ = ["Change", "MidiInterpreter"]

_PRESSED = 64
"""Controllers that switch are on from here, as the standard has it."""
_STEP = 1 / 127


@dataclass(frozen=True, slots=True)
class Change:
    """A control and its new value, as `MixControls.set` takes them."""

    control: Control
    value: float


class MidiInterpreter:
    """Turns messages into changes of the mixer's controls.

    Args:
        midi_map: what the messages mean.
        controls: where the controls stand; only read. The caller applies the changes before it
            feeds the next message.
    """

    def __init__(self, midi_map: MidiMap, controls: MixControls) -> None:
        self._controls = controls
        self._map = midi_map
        known = set(controls.names())
        self.absent = tuple(
            binding.control for binding in midi_map.bindings() if binding.control not in known
        )
        """Controls in the map that this mixer does not have: stems of another network."""
        self._faders = [
            _Fader(binding, midi_map) for binding in midi_map.faders if binding.control in known
        ]
        self._buttons = [
            _Button(binding, midi_map) for binding in midi_map.buttons if binding.control in known
        ]

    def feed(self, message: Sequence[int]) -> list[Change]:
        """Take in a message.

        Args:
            message: its bytes, all of them. What is no message, or none that means anything here,
                changes nothing.

        Returns:
            What changes: at most one control.
        """
        event = decode_message(message)
        if event is None:
            return []
        for fader in self._faders:
            if fader.listens(event):
                return self._move(fader, fader.take(event))
        for button in self._buttons:
            if button.listens(event):
                value = button.press(event.value, self._controls.get(button.control))
                return [] if value is None else [Change(button.control, value)]
        return []

    def knows(self, message: Sequence[int]) -> bool:
        """Whether a message means anything here."""
        event = decode_message(message)
        return event is not None and any(part.listens(event) for part in self._parts())

    def release(self, control: Control) -> None:
        """Let no message turn a control any more."""
        self._faders = [fader for fader in self._faders if fader.control != control]
        self._buttons = [button for button in self._buttons if button.control != control]

    def adopt(self, binding: FaderBinding | ButtonBinding) -> None:
        """Let another fader or button turn its control.

        All others stay as they are: none of them has to meet its value again.
        """
        if isinstance(binding, FaderBinding):
            self._faders.append(_Fader(binding, self._map))
        else:
            self._buttons.append(_Button(binding, self._map))

    def settle(self) -> list[Change]:
        """Say that no more messages are under way: halves of pairs now count by themselves."""
        return [change for fader in self._faders for change in self._move(fader, fader.settle())]

    def feedback(self) -> list[bytes]:
        """Messages for the controller: the lights and motors that are not as they should be."""
        return [
            encode_message(event)
            for part in self._parts()
            if (event := part.feedback(self._controls.get(part.control))) is not None
        ]

    def forget_controller(self) -> None:
        """A controller has been plugged in: nothing is known of its faders and lights."""
        for part in self._parts():
            part.forget()

    def _parts(self) -> list[_Fader | _Button]:
        return [*self._faders, *self._buttons]

    def _move(self, fader: _Fader, position: float | None) -> list[Change]:
        if position is None:
            return []
        value = fader.follow(position, self._controls.get(fader.control))
        return [] if value is None else [Change(fader.control, value)]


class _Listener:
    """What faders and buttons have in common."""

    def __init__(self, binding: FaderBinding | ButtonBinding, midi_map: MidiMap) -> None:
        self.control = Control.parse(binding.control)
        self.channel = binding.channel or midi_map.channel
        self.messages = frozenset((MidiKind(kind), number) for kind, number in binding.messages())
        self.sent: MidiEvent | None = None

    def listens(self, event: MidiEvent) -> bool:
        """Whether a message is meant for this one."""
        here = self.channel in (None, event.channel)
        return here and (event.kind, event.number) in self.messages

    def send_once(self, kind: MidiKind, number: int | None, value: int) -> MidiEvent | None:
        """A message, unless it is the one that was sent last."""
        event = MidiEvent(kind, self.channel or 1, number, value)
        if event == self.sent:
            return None
        self.sent = event
        return event


class _Fader(_Listener):
    """Where a fader is, and whether it moves its control."""

    def __init__(self, binding: FaderBinding, midi_map: MidiMap) -> None:
        super().__init__(binding, midi_map)
        self._binding = binding
        self._taper = Taper(binding)
        self._picks_up = midi_map.pick_up if binding.pick_up is None else binding.pick_up
        self.forget()

    def forget(self) -> None:
        """Nothing is known of it."""
        self.sent = None
        self._sends_fine: bool | None = None
        self._coarse: int | None = None
        self._waiting = False
        self._position: float | None = None
        self._set: float | None = None
        """What it has set its control to; None before it has met it."""

    def take(self, event: MidiEvent) -> float | None:
        """The position that a message tells; None if it may be the first half of one."""
        if event.kind is MidiKind.PITCH_BEND:
            return event.value / 16383
        if self._binding.fine_cc is None:
            return event.value / 127
        if event.number == self._binding.cc:
            before = self.settle()
            self._coarse, self._waiting = event.value, self._sends_fine is not False
            return before if self._waiting else event.value / 127
        self._sends_fine, self._waiting = True, False
        return None if self._coarse is None else (self._coarse << 7 | event.value) / 16383

    def settle(self) -> float | None:
        """The position by a coarse half alone, if one has been waiting."""
        if not self._waiting:
            return None
        self._waiting = False
        self._sends_fine = bool(self._sends_fine)
        assert self._coarse is not None
        # By the standard a coarse half sets the fine one to 0; a fader without fine halves must
        # reach the top all the same.
        return (self._coarse << 7) / 16383 if self._sends_fine else self._coarse / 127

    def follow(self, position: float, present: float) -> float | None:
        """What the control becomes by the fader's new position; None if it stays."""
        before, self._position = self._position, position
        self.sent = None  # a hand has moved it from where its motor had put it
        value = self._taper.level(position)
        if self._picks_up and present != self._set:
            wanted = self._taper.position(present)
            passed = before is not None and min(before, position) <= wanted <= max(before, position)
            if not passed and abs(position - wanted) > _STEP:
                self._set = None
                return None
        self._set = value
        return None if value == present else value

    def feedback(self, present: float) -> MidiEvent | None:
        """What moves its motor or turns its ring; nothing if it is there by itself."""
        if not self._binding.feedback or (self._set == present and self._position is not None):
            return None
        position = self._taper.position(present)
        if self._binding.pitch_bend:
            return self.send_once(MidiKind.PITCH_BEND, None, round(16383 * position))
        return self.send_once(MidiKind.CC, self._binding.cc, round(127 * position))


class _Button(_Listener):
    """Whether a button is held, and what its light shows."""

    def __init__(self, binding: ButtonBinding, midi_map: MidiMap) -> None:
        super().__init__(binding, midi_map)
        self._binding = binding
        self._answers = midi_map.feedback if binding.feedback is None else binding.feedback
        self.forget()

    def forget(self) -> None:
        """Nothing is known of it."""
        self.sent = None
        self._value = 0

    def press(self, value: int, present: float) -> float | None:
        """What the switch becomes by a message; None if it stays."""
        before, self._value = self._value, value
        self.sent = None  # many buttons switch their light by themselves when they are let go
        is_note = self._binding.note is not None
        down = value > 0 if is_note else value >= _PRESSED
        if self._binding.mode == "momentary":
            return None if present == down else float(down)
        # Some buttons say the same at every press and nothing when they are let go; a pedal that
        # is moved says many things above the threshold.
        pressed = down and (is_note or before < _PRESSED or before == value)
        return 1.0 - present if pressed else None

    def feedback(self, present: float) -> MidiEvent | None:
        """What switches its light."""
        if not self._answers:
            return None
        kind, number = next(iter(self.messages))
        return self.send_once(kind, number, self._binding.lit if present else self._binding.unlit)
