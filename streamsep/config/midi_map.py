"""Which fader, knob or button of a MIDI controller turns what: configs/midi/*.yaml.

A map names the controls of the mixer as `bridge.mixing` does: `vocals.gain`, `drums.mute`,
`bass.solo`, `wet`, `master`, `bypass`, `panic`. Channels are counted from 1, as on the devices;
numbers of controllers and notes from 0, as in their charts.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Annotated, Literal

import yaml
from pydantic import Field, model_validator

from streamsep.config.locate import configs_folder
from streamsep.config.named import load_named
from streamsep.config.yaml_file import Document, load_yaml
from streamsep.errors import OutputError
from streamsep.whole_file import whole_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "ButtonBinding",
    "FaderBinding",
    "MidiMap",
    "load_midi_map",
    "load_midi_maps",
    "save_midi_map",
]

Data = Annotated[int, Field(ge=0, le=127)]
Channel = Annotated[int, Field(ge=1, le=16)]
Message = tuple[str, int | None]
"""Kind and number: what a binding listens to on its channel."""


class FaderBinding(Document):
    """A fader or knob, and the level that it sets.

    Attributes:
        control: a gain, `master` or `wet`.
        cc: number of the controller, in a 14-bit pair the coarse one.
        fine_cc: the fine one of a pair, by the standard 32 above the coarse one.
        pitch_bend: the fader sends pitch bend, as those of Mackie Control do.
        channel: only messages of this channel; the map's if left out.
        taper: `desk`: 0 dB at three quarters of the way, finer above -10 dB; `db`: as many dB per
            step everywhere. Either way the lowest position is silence. Not for `wet`.
        highest_db: at the top, above 0, at most 12.
        lowest_db: just above silence, with taper `db`.
        pick_up: moves nothing before it has met the present value; the map's if left out.
        feedback: send the level to the controller, for motors and rings of light.
    """

    control: str = Field(pattern=r"^(.+\.gain|wet|master)$")
    cc: Data | None = None
    fine_cc: Data | None = None
    pitch_bend: bool = False
    channel: Channel | None = None
    taper: Literal["desk", "db"] = "desk"
    highest_db: float = Field(default=6.0, gt=0.0, le=12.0)
    lowest_db: float = Field(default=-60.0, lt=0.0, ge=-144.0)
    pick_up: bool | None = None
    feedback: bool = False

    @model_validator(mode="after")
    def _listens_to_one_thing(self) -> FaderBinding:
        if (self.cc is None) != self.pitch_bend:
            raise ValueError(f"fader of '{self.control}': expected cc or pitch_bend, one of them")
        if self.fine_cc is not None and self.cc in (None, self.fine_cc):
            raise ValueError(f"fader of '{self.control}': fine_cc needs a cc, another one")
        return self

    def messages(self) -> Iterator[Message]:
        """What it listens to."""
        if self.pitch_bend:
            yield "pitch_bend", None
        for number in (self.cc, self.fine_cc):
            if number is not None:
                yield "cc", number


class ButtonBinding(Document):
    """A button, pad or pedal, and the switch that it turns.

    Attributes:
        control: a mute or solo, `bypass` or `panic`.
        note: number of the note that it sends.
        cc: or of the controller.
        channel: only messages of this channel; the map's if left out.
        mode: `toggle`: every press changes the switch; `momentary`: on while it is held, which is
            also what a button needs that remembers its state by itself.
        lit: what is sent back while the switch is on, as velocity or value; often a colour.
        unlit: while it is off.
        feedback: whether to send anything back; the map's if left out.
    """

    control: str = Field(pattern=r"^(.+\.(mute|solo)|bypass|panic)$")
    note: Data | None = None
    cc: Data | None = None
    channel: Channel | None = None
    mode: Literal["toggle", "momentary"] = "toggle"
    lit: Data = 127
    unlit: Data = 0
    feedback: bool | None = None

    @model_validator(mode="after")
    def _listens_to_one_thing(self) -> ButtonBinding:
        if (self.note is None) == (self.cc is None):
            raise ValueError(f"button of '{self.control}': expected note or cc, one of them")
        return self

    def messages(self) -> Iterator[Message]:
        """What it listens to."""
        yield ("cc", self.cc) if self.note is None else ("note", self.note)


class MidiMap(Document):
    """All that a controller turns.

    Attributes:
        name: what it is called on the command line.
        description: one line: which device, and how it has to be set.
        port: part of the name of the device's port, in any case; empty for a port of our own that
            others connect to.
        channel: only messages of this channel, where a binding names none; any if left out.
        pick_up: faders move nothing before they have met the present value, so nothing jumps.
        feedback: send the state of switches back, for controllers with lights.
        faders: the faders and knobs.
        buttons: the buttons, pads and pedals.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    description: str
    port: str = ""
    channel: Channel | None = None
    pick_up: bool = True
    feedback: bool = True
    faders: Annotated[tuple[FaderBinding, ...], Field(strict=False)] = ()
    buttons: Annotated[tuple[ButtonBinding, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _no_message_means_two_things(self) -> MidiMap:
        listeners = [
            (binding.control, message, binding.channel or self.channel)
            for binding in self.bindings()
            for message in binding.messages()
        ]
        for (first, message, channel), (second, other, other_channel) in combinations(listeners, 2):
            same_channel = None in (channel, other_channel) or channel == other_channel
            if message == other and same_channel:
                kind, number = message
                what = kind if number is None else f"{kind} {number}"
                raise ValueError(f"'{first}' and '{second}' both listen to {what}")
        return self

    def bindings(self) -> list[FaderBinding | ButtonBinding]:
        """Everything that is bound, faders first."""
        return [*self.faders, *self.buttons]

    def stems(self) -> list[str]:
        """The stems that are bound, in the order in which the map names them."""
        owners = (binding.control.rpartition(".")[0] for binding in self.bindings())
        return list(dict.fromkeys(owner for owner in owners if owner))


def load_midi_maps(folder: Path | None = None) -> dict[str, MidiMap]:
    """Read all maps of a folder.

    Args:
        folder: holds one YAML file per map; the ones that come with streamsep if None.

    Returns:
        The maps by name.

    Raises:
        ConfigError: the folder is missing or a file in it is wrong.
    """
    files = sorted((folder or configs_folder("midi")).glob("*.yaml"))
    maps = [load_yaml(file, MidiMap) for file in files]
    return {each.name: each for each in maps}


def load_midi_map(name_or_path: str | Path) -> MidiMap:
    """Find a map by its name, or read one from a file of your own.

    Args:
        name_or_path: one of the names of `load_midi_maps`, or the path of a YAML file.

    Raises:
        ConfigError: there is no such map or file, or the file is wrong.
    """
    return load_named(
        name_or_path, "MIDI map", load_midi_maps, lambda path: load_yaml(path, MidiMap)
    )


def save_midi_map(midi_map: MidiMap, path: Path) -> None:
    """Write a map as YAML; an older file is replaced only by a whole new one.

    Raises:
        OutputError: it cannot be written there.
    """
    content = midi_map.model_dump(exclude_defaults=True, mode="json")
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    try:
        with whole_file(path) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(
            f"cannot write '{path}': {error.strerror or error}; choose another file"
        ) from error
