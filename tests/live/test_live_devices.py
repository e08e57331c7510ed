"""Which device is meant, and which may not be used together."""

from __future__ import annotations

import pytest

from bridge.live.devices import Device, check_same_clock, choose_device, choose_devices
from streamsep.errors import ConfigError

JACK = "JACK Audio Connection Kit"


def device(number: int, name: str, inputs: int, outputs: int, api: str = "ALSA") -> Device:
    return Device(
        number=number,
        name=name,
        host_api=api,
        inputs=inputs,
        outputs=outputs,
        sample_rate=48_000,
        default_input=number == 1,
        default_output=number == 1,
    )


CARDS = [
    device(0, "Box USB", 4, 4),
    device(1, "Onboard", 2, 2),
    device(2, "Box USB", 4, 4, "MME"),
    device(3, "HDMI", 0, 8),
]
CLIENTS = [device(4, "system", 8, 8, JACK), device(5, "player", 2, 0, JACK)]
CLIENTS += [device(6, "recorder", 0, 2, JACK)]


@pytest.mark.parametrize(
    ("wanted", "number"), [("Box USB", 0), ("box", 0), ("2", 2), (2, 2), (None, 1), ("onb", 1)]
)
def test_a_device_is_found_by_name_part_of_it_or_number(wanted: str | None, number: int) -> None:
    assert choose_device(CARDS, wanted, "input").number == number


def test_a_jack_server_comes_before_the_default_device() -> None:
    source, sink = choose_devices([*CARDS, *CLIENTS], None, None)
    assert (source.name, sink.name) == ("system", "system")


def test_an_input_without_outputs_takes_the_default_output_of_its_system() -> None:
    source, sink = choose_devices([*CARDS, *CLIENTS], "player", None)
    assert (source.number, sink.number) == (5, 4)


@pytest.mark.parametrize(
    ("wanted", "kind", "said"),
    [
        ("Bax", "input", "no input device is called 'Bax'"),
        ("HDMI", "input", "no input device is called 'HDMI'"),
        ("9", "output", "there are 0 'Box USB'"),
        ("o", "output", "may be any of"),
    ],
)
def test_a_device_that_is_not_there_or_not_clear_is_refused(
    wanted: str, kind: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        choose_device(CARDS, wanted, kind)


def test_a_name_that_several_devices_of_a_system_have_is_refused_with_their_numbers() -> None:
    boxes = [*CARDS, device(7, "Box USB", 4, 4)]
    for wanted in ("Box USB", "box"):
        with pytest.raises(
            ConfigError, match=r"any of 0 'Box USB' \(ALSA\), 7 'Box USB' \(ALSA\);"
        ):
            choose_device(boxes, wanted, "output")
    assert choose_device(boxes, "7", "output").number == 7
    assert [each.number for each in choose_devices(boxes, 7, None)] == [7, 7]


def test_without_devices_it_says_so() -> None:
    with pytest.raises(ConfigError, match="there is no input device"):
        choose_devices([], None, None)


def test_devices_of_two_systems_are_refused() -> None:
    with pytest.raises(ConfigError, match="different systems"):
        choose_devices([*CARDS, *CLIENTS], "Onboard", "recorder")


def test_devices_with_clocks_of_their_own_are_refused_unless_the_user_knows_better() -> None:
    box, onboard = CARDS[0], CARDS[1]
    with pytest.raises(ConfigError, match="drift apart"):
        check_same_clock(box, onboard)
    check_same_clock(box, onboard, trusted=True)
    check_same_clock(box, box)
    check_same_clock(CLIENTS[1], CLIENTS[2])


def test_two_boxes_of_one_name_have_two_clocks() -> None:
    box, other = CARDS[0], device(7, "Box USB", 4, 4)
    with pytest.raises(ConfigError, match=r"0 'Box USB' .* 7 'Box USB' .* drift apart"):
        check_same_clock(box, other)
    check_same_clock(box, other, trusted=True)
