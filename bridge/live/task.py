"""What the audio child is told to do: plain values, one line of JSON."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from bridge.mixing import Route

__all__ = ["AudioTask"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioTask:
    """One live loop.

    Attributes:
        input: name of the input device.
        output: name of the output device.
        input_turn: how many input devices of its system with that name come before it.
        output_turn: how many output devices.
        input_typed: what the user called the input, in whole or in part, for when its name is there
            no longer; empty for nothing or a number.
        output_typed: the same for the output.
        host_api: of both, as PortAudio calls it; empty for whichever has them.
        input_channels: channels of the input device that are separated, counted from 0.
        routes: what goes where.
        sample_rate: of the device; None for what the device has.
        block: the longest block that the device may deliver; None for what it delivers first.
        least_block: if so, at least this; a loop that comes back may have seen longer ones.
        preset: name of a latency preset; empty for the engine's.
        consistency: off, other or energy; empty for the engine's.
        budget_s: seconds for computing and transport; 0 for what the engine proposes. A loop that
            comes back asks for what it had, and its latency stays.
        stems: names of the stems that the engine has to have, in their order; empty for whatever
            it has. The controls of a loop that comes back are those of the stems it had.
        address: of the engine's audio socket.
        keys: folder of keys for an engine that is reached over a network.
        name: for people who look at the engine's status.
        controls: file of the mixer's controls, shared with the supervisor; None for a mixer that
            nobody touches.
        settings: of controls, by name, for when nobody has touched them yet.
        record: folder of recordings; None for none.
        patient: wait for a device or an engine that is not there, instead of giving up.
    """

    input: str
    output: str
    input_turn: int = 0
    output_turn: int = 0
    input_typed: str = ""
    output_typed: str = ""
    host_api: str = ""
    input_channels: tuple[int, ...] = (0, 1)
    routes: tuple[Route, ...] = (Route("mix", (0, 1)),)
    sample_rate: int | None = None
    block: int | None = None
    least_block: int = 1
    preset: str = ""
    consistency: str = ""
    budget_s: float = 0.0
    stems: tuple[str, ...] = ()
    address: str
    keys: str | None = None
    name: str = "live"
    controls: str | None = None
    settings: tuple[tuple[str, float], ...] = ()
    record: str | None = None
    patient: bool = False

    @property
    def outputs(self) -> int:
        """Channels that the output device must have."""
        return 1 + max(output for route in self.routes for output in route.outputs)

    @property
    def inputs(self) -> int:
        """Channels that the input device must have."""
        return 1 + max(self.input_channels)

    def to_json(self) -> str:
        """The task in one line."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> AudioTask:
        """What `to_json` made."""
        values: dict[str, Any] = json.loads(text)
        values["input_channels"] = tuple(values["input_channels"])
        values["routes"] = tuple(
            Route(each["source"], tuple(each["outputs"]), each["gain_db"])
            for each in values["routes"]
        )
        values["stems"] = tuple(values["stems"])
        values["settings"] = tuple((name, value) for name, value in values["settings"])
        return cls(**values)
