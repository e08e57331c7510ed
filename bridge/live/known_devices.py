"""The devices of a loop, found by the process that opens them: at first, and when they are back.

Numbers change whenever a device comes or goes, so what a device is known by is its name, and among
devices of one name its turn. ALSA's names hold the number of the card, which is another one when an
interface is plugged in again; then what the user had typed says which device is meant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.live.devices import able_devices, check_same_clock, choose_device, unknown_device

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.live.devices import Device
    from bridge.live.task import AudioTask

__all__ = ["find_devices", "turn_of"]


def turn_of(device: Device, devices: Sequence[Device], kind: str) -> int:
    """How many devices of its system come before it that have its name.

    Args:
        device: one of them.
        devices: that are there.
        kind: input or output.
    """
    return _equals(able_devices(devices, kind), device.name, device.host_api).index(device)


def find_devices(devices: Sequence[Device], task: AudioTask) -> tuple[Device, Device]:
    """The input and the output of a loop.

    Args:
        devices: that are there.
        task: what to play.

    Raises:
        ConfigError: one of them is not there, or it is not clear which it is.
    """
    if task.host_api:
        devices = [each for each in devices if each.host_api == task.host_api]
    source = _find(devices, "input", task.input, task.input_turn, task.input_typed)
    # The same name may exist in several systems; a stream can only use one of them.
    near = [each for each in devices if each.host_api == source.host_api]
    sink = _find(near, "output", task.output, task.output_turn, task.output_typed)
    were_two = (task.input, task.input_turn) != (task.output, task.output_turn)
    # Two have been allowed; what was one may only have been found again as one.
    check_same_clock(source, sink, trusted=were_two)
    return source, sink


def _find(devices: Sequence[Device], kind: str, name: str, turn: int, typed: str) -> Device:
    able = able_devices(devices, kind)
    named = [each for each in able if each.name == name]
    equals = _equals(able, name, named[0].host_api) if named else []
    if turn < len(equals):
        return equals[turn]
    if typed:
        return choose_device(devices, typed, kind)
    raise unknown_device(able, name, kind, turn)


def _equals(devices: Sequence[Device], name: str, host_api: str) -> list[Device]:
    """Those of one name in one system, in the order of their numbers."""
    found = [each for each in devices if (each.name, each.host_api) == (name, host_api)]
    return sorted(found, key=lambda each: each.number)
