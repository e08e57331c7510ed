"""The audio process opens the devices that the command has chosen, and finds them again later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.live.devices import Device
from bridge.live.known_devices import find_devices
from bridge.run_folder import ipc_endpoints
from streamsep.cli import live_setup
from streamsep.config.live import LiveConfig
from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.live.task import AudioTask

JACK = "JACK Audio Connection Kit"


def device(number: int, name: str, api: str = "ALSA", inputs: int = 2, outputs: int = 2) -> Device:
    return Device(
        number=number,
        name=name,
        host_api=api,
        inputs=inputs,
        outputs=outputs,
        sample_rate=48_000,
    )


class Machine:
    """The devices of a machine, as the command finds them when it starts."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._patch = monkeypatch

    def task(self, devices: list[Device], **settings: object) -> AudioTask:
        """What the command makes of its settings."""
        self._patch.setattr(live_setup, "list_devices", lambda: devices)
        config = LiveConfig().changed(**settings)
        return live_setup.make_task(config, ipc_endpoints(self._folder), None)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def found(devices: list[Device], task: AudioTask) -> tuple[int, int]:
    source, sink = find_devices(devices, task)
    return source.number, sink.number


@pytest.mark.parametrize("number", [1, 3])
def test_of_two_boxes_of_one_name_the_one_that_was_chosen_is_opened(
    machine: Machine, number: int
) -> None:
    boxes = [device(0, "Mic", outputs=0), device(1, "Box"), device(2, "Box", "OSS")]
    boxes.append(device(3, "Box"))
    task = machine.task(boxes, input=str(number))
    assert found(boxes, task) == (number, number)
    # Numbers are others later, and mean nothing then.
    later = [device(0, "Webcam", outputs=0), device(4, "Box"), device(5, "Mic", outputs=0)]
    later.append(device(6, "Box"))
    assert found(later, task) == ((4, 4) if number == 1 else (6, 6))


def test_ends_of_one_name_are_told_apart_by_what_they_can(machine: Machine) -> None:
    ends = [device(0, "Box", inputs=0), device(1, "Box", outputs=0), device(2, "Box", inputs=0)]
    task = machine.task(ends, input="1", output="2", same_clock=True)
    assert found(ends, task) == (1, 2)


def test_the_second_of_two_boxes_is_not_looked_for_in_the_first(machine: Machine) -> None:
    boxes = [device(0, "Box"), device(1, "Box")]
    task = machine.task(boxes, input="1")
    with pytest.raises(ConfigError, match="fewer than 2 input devices are called 'Box'"):
        find_devices(boxes[:1], task)


def test_a_card_that_has_come_back_with_another_number_is_what_the_user_had_typed(
    machine: Machine,
) -> None:
    before = [device(0, "HDA: ALC (hw:0,0)"), device(1, "Box: USB Audio (hw:1,0)")]
    later = [device(0, "HDA: ALC (hw:0,0)"), device(1, "Box: USB Audio (hw:2,0)")]
    task = machine.task(before, input="usb")
    assert found(before, task) == (1, 1)
    assert found(later, task) == (1, 1)
    assert found([*later, *before[1:]], task) == (1, 1)
    assert found([device(2, "Cam: USB Audio (hw:3,0)"), *before], task) == (1, 1)
    with pytest.raises(ConfigError, match="'usb' may be any of"):
        find_devices([device(2, "Cam: USB Audio (hw:3,0)"), *later], task)
    with pytest.raises(ConfigError, match="no input device is called 'usb'"):
        find_devices(later[:1], task)


@pytest.mark.parametrize("typed", [None, "1"])
def test_a_card_that_nobody_has_called_anything_is_waited_for(
    machine: Machine, typed: str | None
) -> None:
    before = [device(1, "Box: USB Audio (hw:1,0)")]
    task = machine.task(before, input=typed)
    with pytest.raises(ConfigError, match=r"no input device is called 'Box: USB Audio \(hw:1,0\)'"):
        find_devices([device(1, "Box: USB Audio (hw:2,0)")], task)


def test_what_was_one_device_does_not_come_back_as_two(machine: Machine) -> None:
    task = machine.task([device(1, "Box: USB Audio (hw:1,0)")], input="usb")
    later = [device(1, "Cam: USB (hw:1,0)", outputs=0), device(2, "Dac: USB (hw:2,0)", inputs=0)]
    with pytest.raises(ConfigError, match="drift apart"):
        find_devices(later, task)


def test_a_program_that_is_called_a_number_is_found_by_its_name(machine: Machine) -> None:
    clients = [device(0, "system", JACK), device(1, "0", JACK)]
    task = machine.task(clients, input="1")
    assert found(clients, task) == (1, 1)
