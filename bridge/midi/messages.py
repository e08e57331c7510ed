"""The three kinds of MIDI messages that controllers speak in, from bytes and back.

    Bn cc vv    controller cc of channel n has the value vv
    9n kk vv    note kk on; with velocity 0, off          8n kk vv    note kk off
    En ll mm    pitch bend, 14 bits, the low ones first

Source: MIDI 1.0 Detailed Specification, Channel Voice Messages.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MidiEvent", "MidiKind", "decode_message", "encode_message"]

_NOTE_ON, _CONTROLLER, _PITCH_BEND = 0x90, 0xB0, 0xE0


class MidiKind(StrEnum):
    """What a message is about; the names are those of the maps."""

    CC = "cc"
    NOTE = "note"
    PITCH_BEND = "pitch_bend"


@dataclass(frozen=True, slots=True)
class MidiEvent:
    """A message.

    Attributes:
        kind: what it is about.
        channel: 1 to 16.
        number: of the controller or note; None for pitch bend.
        value: 0 to 127, for a note its velocity, 0 when it ends; 0 to 16383 for pitch bend.
    """

    kind: MidiKind
    channel: int
    number: int | None
    value: int


def decode_message(message: Sequence[int]) -> MidiEvent | None:
    """What a whole message says; None for other kinds, and for what is no message."""
    if len(message) != 3 or any(not 0 <= byte < 0x80 for byte in message[1:]):
        return None
    status, first, second = message
    channel = (status & 0x0F) + 1
    match status & 0xF0 if 0x80 <= status < 0xF0 else None:
        case 0x80:
            return MidiEvent(MidiKind.NOTE, channel, first, 0)
        case 0x90:
            return MidiEvent(MidiKind.NOTE, channel, first, second)
        case 0xB0:
            return MidiEvent(MidiKind.CC, channel, first, second)
        case 0xE0:
            return MidiEvent(MidiKind.PITCH_BEND, channel, None, second << 7 | first)
        case _:
            return None


def encode_message(event: MidiEvent) -> bytes:
    """The bytes of a message; notes end with velocity 0."""
    channel = event.channel - 1
    if event.kind is MidiKind.PITCH_BEND:
        return bytes((_PITCH_BEND | channel, event.value & 0x7F, event.value >> 7))
    assert event.number is not None
    status = _CONTROLLER if event.kind is MidiKind.CC else _NOTE_ON
    return bytes((status | channel, event.number, event.value))
