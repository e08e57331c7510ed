"""What messages change: levels, switches, pairs, pick-up, lights."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from midi.controller import Hands, map_of

from bridge.midi import MidiInterpreter
from bridge.mixing import MixControls

GAIN = {"control": "drums.gain", "cc": 7}
FINE_GAIN = {"control": "drums.gain", "cc": 7, "fine_cc": 39}
MUTE = {"control": "drums.mute", "cc": 64}

data = st.integers(0, 127)


@given(st.lists(st.binary(max_size=5), max_size=30))
def test_no_bytes_whatever_are_an_error_or_leave_the_range(messages: list[bytes]) -> None:
    hands = Hands(FINE_GAIN, MUTE, {"control": "master", "pitch_bend": True}, pick_up=False)
    hands.send(*messages)
    hands.settle()
    for light in hands.interpreter.feedback():
        assert len(light) == 3
        assert light[0] >= 0x80 > max(light[1:])


@given(st.lists(data, min_size=1))
def test_a_fader_without_pick_up_is_followed_at_once(values: list[int]) -> None:
    hands = Hands(GAIN, pick_up=False)
    for value in values:
        hands.send((0xB0, 7, value))
        level = hands.controls.get("drums.gain")
        if value in (0, 95, 127):
            assert level == {0: -math.inf, 95: 0.0, 127: 6.0}[value]
    again = Hands(GAIN, pick_up=False)
    again.send((0xB0, 7, values[-1]))
    assert again.controls.get("drums.gain") == hands.controls.get("drums.gain")


def test_other_channels_and_controllers_mean_nothing() -> None:
    hands = Hands({**GAIN, "channel": 3}, pick_up=False)
    assert not hands.send((0xB0, 7, 10), (0xB2, 8, 10), (0x92, 7, 10), (0xE2, 7, 10), (0xF8,))
    assert hands.send((0xB2, 7, 0)) == [-math.inf]


def test_a_channel_of_the_map_counts_where_the_binding_has_none() -> None:
    hands = Hands(GAIN, {**MUTE, "channel": 1}, channel=2, pick_up=False)
    assert hands.send((0xB0, 7, 0), (0xB1, 64, 127)) == []
    assert hands.send((0xB1, 7, 0), (0xB0, 64, 127)) == [-math.inf, 1.0]


@given(st.lists(st.integers(0, 16383), min_size=1))
def test_pairs_are_whole_numbers_of_14_bits(values: list[int]) -> None:
    """Every position arrives as it was sent, and nothing in between."""
    hands = Hands({"control": "wet", "cc": 7, "fine_cc": 39}, pick_up=False)
    heard = []
    for value in values:
        heard += hands.send((0xB0, 7, value >> 7), (0xB0, 39, value & 0x7F))
    expected, present = [], 1.0
    for value in values:
        if value / 16383 != present:
            expected.append(present := value / 16383)
    assert heard == expected
    assert hands.settle() == []


@given(st.lists(data, min_size=1))
def test_a_controller_of_7_bits_reaches_both_ends_of_a_pair(values: list[int]) -> None:
    hands = Hands({"control": "wet", "cc": 7, "fine_cc": 39}, pick_up=False)
    for value in values:
        hands.send((0xB0, 7, value))
        hands.settle()
        assert hands.controls.get("wet") == value / 127


@given(st.lists(data, min_size=2, unique=True))
def test_a_controller_of_7_bits_is_followed_while_it_moves(values: list[int]) -> None:
    hands = Hands({"control": "wet", "cc": 7, "fine_cc": 39}, pick_up=False)
    hands.send((0xB0, 7, values[0]))
    for value in values[1:]:
        hands.send((0xB0, 7, value))
        assert hands.controls.get("wet") == value / 127


def test_another_controller_may_be_finer_than_the_last() -> None:
    hands = Hands({"control": "wet", "cc": 7, "fine_cc": 39}, pick_up=False)
    hands.send((0xB0, 7, 1), (0xB0, 7, 2))
    hands.interpreter.forget_controller()
    assert hands.send((0xB0, 7, 64), (0xB0, 39, 5)) == [(64 * 128 + 5) / 16383]


def test_a_fine_fader_may_leave_out_halves_that_are_zero() -> None:
    hands = Hands({"control": "wet", "cc": 7, "fine_cc": 39}, pick_up=False)
    hands.send((0xB0, 7, 64), (0xB0, 39, 5))
    assert hands.send((0xB0, 7, 65), (0xB0, 7, 66)) == [65 * 128 / 16383]
    assert hands.settle() == [66 * 128 / 16383]


def test_a_fine_half_alone_moves_within_the_coarse_one() -> None:
    hands = Hands({"control": "wet", "cc": 7, "fine_cc": 39}, pick_up=False)
    assert hands.send((0xB0, 39, 5)) == []
    hands.send((0xB0, 7, 64), (0xB0, 39, 0))
    assert hands.send((0xB0, 39, 5)) == [(64 * 128 + 5) / 16383]


@given(st.floats(-60.0, 6.0), st.lists(data, min_size=1))
def test_a_fader_moves_nothing_before_it_has_met_the_value(
    present: float, values: list[int]
) -> None:
    hands = Hands(GAIN)
    hands.controls.set("drums.gain", present)
    free = Hands(GAIN, pick_up=False)
    met, before = False, None
    for value in values:
        free.send((0xB0, 7, value))
        level = free.controls.get("drums.gain")
        heard = hands.send((0xB0, 7, value))
        if met:
            assert hands.controls.get("drums.gain") == level
        elif heard:
            met = True
            # It has met it: one step away at most, or on the other side of it than before.
            near = Hands(GAIN, pick_up=False)
            near.send((0xB0, 7, min(127, value + 1)))
            above = near.controls.get("drums.gain")
            near.send((0xB0, 7, max(0, value - 1)))
            below = near.controls.get("drums.gain")
            passed = before is not None and min(before, level) <= present <= max(before, level)
            assert passed or below <= present <= above
        else:
            assert hands.controls.get("drums.gain") == present
        before = level


def test_a_fader_that_sweeps_its_way_always_meets_the_value() -> None:
    for present in (-math.inf, -50.0, 0.0, 5.0, 12.0):
        hands = Hands(GAIN)
        hands.controls.set("drums.gain", present)
        hands.send(*((0xB0, 7, value) for value in range(0, 128, 3)), (0xB0, 7, 127))
        assert hands.controls.get("drums.gain") == 6.0, present


def test_a_fader_lets_go_when_somebody_else_turns_its_control() -> None:
    hands = Hands(GAIN)
    hands.send((0xB0, 7, 95), (0xB0, 7, 80))
    assert hands.controls.get("drums.gain") < 0.0
    hands.controls.set("drums.gain", -40.0)
    assert hands.send((0xB0, 7, 79), (0xB0, 7, 70)) == []
    assert len(hands.send((0xB0, 7, 10), (0xB0, 7, 11))) == 2


def test_a_controller_that_was_plugged_in_has_to_meet_the_value_again() -> None:
    hands = Hands(GAIN)
    hands.send((0xB0, 7, 95), (0xB0, 7, 60))
    hands.interpreter.forget_controller()
    hands.controls.set("drums.gain", 0.0)
    assert hands.send((0xB0, 7, 20)) == []


@pytest.mark.parametrize("note", [True, False])
def test_every_press_toggles(note: bool) -> None:
    where = {"note": 64} if note else {"cc": 64}
    status = 0x90 if note else 0xB0
    hands = Hands({"control": "drums.mute", **where})
    pressed, released = (status, 64, 100), (status, 64, 0)
    assert hands.send(pressed, released, pressed, released) == [1.0, 0.0]
    assert hands.send(pressed, pressed, pressed) == [1.0, 0.0, 1.0]  # it says nothing when let go


def test_a_note_ends_with_note_off_as_well() -> None:
    hands = Hands({"control": "panic", "note": 10, "mode": "momentary"})
    assert hands.send((0x90, 10, 1), (0x80, 10, 64), (0x90, 10, 1), (0x90, 10, 0)) == [1, 0, 1, 0]


def test_a_pedal_that_moves_toggles_once() -> None:
    hands = Hands(MUTE)
    assert hands.send(*((0xB0, 64, value) for value in (10, 63, 64, 80, 127, 90, 20))) == [1.0]


def test_momentary_follows_the_button() -> None:
    hands = Hands({**MUTE, "mode": "momentary"})
    assert hands.send((0xB0, 64, 127), (0xB0, 64, 126), (0xB0, 64, 0)) == [1.0, 0.0]


def test_lights_are_sent_once_per_change() -> None:
    hands = Hands(
        {**MUTE, "lit": 15, "unlit": 12},
        {"control": "panic", "note": 5, "channel": 9},
        {"control": "bypass", "cc": 6, "feedback": False},
    )
    assert hands.interpreter.feedback() == [b"\xb0\x40\x0c", b"\x98\x05\x00"]
    assert hands.interpreter.feedback() == []
    hands.controls.set("drums.mute", 1)
    assert hands.interpreter.feedback() == [b"\xb0\x40\x0f"]
    # Let go, many a button puts out its light: it is told again.
    hands.send((0xB0, 64, 0))
    assert hands.interpreter.feedback() == [b"\xb0\x40\x0f"]
    hands.interpreter.forget_controller()
    assert len(hands.interpreter.feedback()) == 2


def test_a_motor_goes_where_the_control_is_and_leaves_the_hand_alone() -> None:
    fader = {"control": "drums.gain", "pitch_bend": True, "channel": 2, "feedback": True}
    hands = Hands(fader, pick_up=False)
    unity = round(0.75 * 16383)
    at_unity = bytes((0xE1, unity & 0x7F, unity >> 7))
    assert hands.interpreter.feedback() == [at_unity]
    hands.send((0xE1, 0, 10), (0xE1, 0, 20))
    assert hands.interpreter.feedback() == []
    hands.controls.set("drums.gain", 0.0)
    assert hands.interpreter.feedback() == [at_unity]


def test_stems_that_the_mixer_has_not_are_named_and_left_alone() -> None:
    controls = MixControls(("vocals", "instrumental"))
    interpreter = MidiInterpreter(map_of(GAIN, MUTE, {"control": "vocals.solo", "cc": 9}), controls)
    assert interpreter.absent == ("drums.gain", "drums.mute")
    assert interpreter.feed((0xB0, 7, 0)) == []
    assert interpreter.feed((0xB0, 9, 127))[0].value == 1.0
