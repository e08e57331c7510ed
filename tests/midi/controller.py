"""A mixer's controls under a controller, without a port between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.midi import MidiInterpreter
from bridge.mixing import MixControls
from streamsep.config.midi_map import MidiMap

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["STEMS", "Hands", "map_of"]

STEMS = ("drums", "bass", "other", "vocals")


def map_of(*bindings: dict[str, object], **settings: object) -> MidiMap:
    """A map of faders and buttons."""
    of_switches = [b for b in bindings if str(b["control"]).endswith((".mute", ".solo"))]
    of_switches += [b for b in bindings if b["control"] in ("bypass", "panic")]
    faders = [binding for binding in bindings if binding not in of_switches]
    content = {"name": "test", "description": "", "faders": faders, "buttons": of_switches}
    return MidiMap.model_validate({**content, **settings})


class Hands:
    """Whoever moves the controller; changes are applied as they come."""

    def __init__(self, *bindings: dict[str, object], **settings: object) -> None:
        self.controls = MixControls(STEMS)
        self.interpreter = MidiInterpreter(map_of(*bindings, **settings), self.controls)

    def send(self, *messages: Sequence[int]) -> list[float]:
        """The values that these messages set, in turn."""
        values = []
        for message in messages:
            for change in self.interpreter.feed(message):
                self.controls.set(change.control, change.value)
                values.append(change.value)
        return values

    def settle(self) -> list[float]:
        """The values that are set when nothing more comes."""
        changes = self.interpreter.settle()
        for change in changes:
            self.controls.set(change.control, change.value)
        return [change.value for change in changes]
