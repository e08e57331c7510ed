"""Which device is meant, and whether two devices may be used together.

Two devices with clocks of their own drift apart: one delivers more samples than the other takes, by
up to some hundred a minute, and sooner or later there are too many or too few. So input and output
have to share a clock. One device does with itself, and all clients of one JACK server do. Anything
else is refused, unless the user knows better: some systems show one interface as two devices.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streamsep.errors import ConfigError, MissingToolError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "JACK",
    "Device",
    "able_devices",
    "check_same_clock",
    "choose_device",
    "choose_devices",
    "list_devices",
    "unknown_device",
]

JACK = "JACK Audio Connection Kit"
_PREFERRED_APIS = (JACK, "ASIO", "Core Audio", "Windows WASAPI", "ALSA")
_PROBE_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What PortAudio knows about a device.

    Attributes:
        number: its index, as long as no device comes or goes.
        name: its name.
        host_api: the system that it belongs to.
        inputs: channels that can be recorded.
        outputs: channels that can be played.
        sample_rate: that it has, or prefers.
        input_latency_ms: the least that PortAudio claims; only `streamsep live` measures it.
        output_latency_ms: the same for the output.
        default_input: the system's default.
        default_output: the system's default.
    """

    number: int
    name: str
    host_api: str
    inputs: int
    outputs: int
    sample_rate: int
    input_latency_ms: float = 0.0
    output_latency_ms: float = 0.0
    default_input: bool = False
    default_output: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        return f"'{self.name}' ({self.host_api})"


def list_devices() -> list[Device]:
    """The devices that are there now.

    Raises:
        MissingToolError: PortAudio is not installed.
        ConfigError: it does not answer.
    """
    command = [sys.executable, "-m", "bridge.live.device_probe"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PROBE_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise ConfigError(
            f"the sound system has not answered for {_PROBE_S:.0f} s; restart the sound server, "
            "or unplug the device that hangs"
        ) from None
    last = done.stdout.strip().rpartition("\n")[2]
    if not last.startswith("{"):
        reason = done.stderr.strip().rpartition("\n")[2] or f"exit code {done.returncode}"
        raise ConfigError(f"PortAudio ended while it listed its devices: {reason}")
    answer = json.loads(last)
    if "problem" in answer:
        raise MissingToolError(
            f"no audio: {answer['problem']}; install PortAudio (Debian: apt install libportaudio2)"
        )
    return [Device(**each) for each in answer["devices"]]


def choose_devices(
    devices: Sequence[Device],
    wanted_input: str | int | None,
    wanted_output: str | int | None,
) -> tuple[Device, Device]:
    """The input and the output that are meant.

    Args:
        devices: that are there.
        wanted_input: name, part of a name, or number; None for the default.
        wanted_output: the same.

    Raises:
        ConfigError: there is no such device, or more than one, or they do not belong to one system.
    """
    source = choose_device(devices, wanted_input, "input")
    if wanted_output is not None:
        # The same name may exist in several systems; a stream can only use one of them.
        near = [each for each in devices if each.host_api == source.host_api]
        try:
            return source, choose_device(near, wanted_output, "output")
        except ConfigError:
            sink = choose_device(devices, wanted_output, "output")
            raise ConfigError(
                f"the input {source} and the output {sink} belong to different systems; expected "
                "two devices of one: see 'streamsep devices'"
            ) from None
    if source.outputs:
        return source, source
    near = [each for each in devices if each.host_api == source.host_api]
    return source, choose_device(near, None, "output")


def choose_device(devices: Sequence[Device], wanted: str | int | None, kind: str) -> Device:
    """The device that is meant.

    Args:
        devices: that are there.
        wanted: name, part of a name, or number; None for the default.
        kind: input or output.

    Raises:
        ConfigError: there is none, or more than one.
    """
    able = able_devices(devices, kind)
    if wanted is None:
        chosen = [each for each in able if each.host_api == JACK and each.name == "system"]
        chosen += [
            each
            for each in able
            if (each.default_input if kind == "input" else each.default_output)
        ]
        return (chosen or able)[0]
    if isinstance(wanted, int) or wanted.isdigit():
        found = [each for each in able if each.number == int(wanted)]
    else:
        found = _by_name(able, wanted)
    if not found:
        raise unknown_device(able, wanted, kind)
    if len({each.name for each in found}) == 1:
        # In several systems that is one device; in one system it is several.
        found = [each for each in found if each.host_api == found[0].host_api]
    if len(found) > 1:
        raise ConfigError(
            f"'{wanted}' may be any of {_numbered(found)}; give the {kind} device's number"
        )
    return found[0]


def able_devices(devices: Sequence[Device], kind: str) -> list[Device]:
    """Those that can record or play, those of the best systems first.

    Args:
        devices: that are there.
        kind: input or output.

    Raises:
        ConfigError: there is none.
    """
    able = [each for each in devices if (each.inputs if kind == "input" else each.outputs)]
    if not able:
        raise ConfigError(
            f"there is no {kind} device; connect an audio interface or start a JACK server"
        )
    return sorted(able, key=_preference)


def unknown_device(
    able: Sequence[Device], wanted: str | int, kind: str, turn: int = 0
) -> ConfigError:
    """The error of a device that is not there.

    Args:
        able: devices of the kind that are.
        wanted: its name or number.
        kind: input or output.
        turn: how many devices of the name would come before it.
    """
    if turn:
        text = f"fewer than {turn + 1} {kind} devices are called '{wanted}'"
    else:
        text = f"no {kind} device is called '{wanted}'"
    return ConfigError(f"{text}; there are {_numbered(able)}")


def check_same_clock(source: Device, sink: Device, *, trusted: bool = False) -> None:
    """Make sure that input and output count the same samples.

    Args:
        source: the input.
        sink: the output.
        trusted: the user says so.

    Raises:
        ConfigError: they may not.
    """
    # Not by their names: two equal interfaces have one name and two clocks.
    if trusted or source.number == sink.number or source.host_api == JACK:
        return
    raise ConfigError(
        f"the input {_numbered([source])} and the output {_numbered([sink])} may have clocks of "
        "their own and would drift apart; take one device for both, a JACK server, or the system's "
        "aggregate device, or say --same-clock if they are two ends of one interface"
    )


def _numbered(devices: Sequence[Device]) -> str:
    return ", ".join(f"{each.number} {each}" for each in devices)


def _preference(device: Device) -> int:
    if device.host_api in _PREFERRED_APIS:
        return _PREFERRED_APIS.index(device.host_api)
    return len(_PREFERRED_APIS)


def _by_name(devices: Sequence[Device], wanted: str) -> list[Device]:
    """Exact matches, or else those whose name holds the text."""
    exact = [each for each in devices if each.name == wanted]
    return exact or [each for each in devices if wanted.casefold() in each.name.casefold()]
