"""Learning: which fader or button was meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.midi import MidiLearner
from streamsep.config.midi_map import ButtonBinding, FaderBinding

GAIN, MUTE = "drums.gain", "drums.mute"


class Lesson:
    """Somebody who moves things, at ten messages a second."""

    def __init__(self, *controls: str) -> None:
        self.learner = MidiLearner(controls)
        self.now_s = 100.0

    def move(self, *messages: tuple[int, int, int]) -> FaderBinding | ButtonBinding | None:
        found = None
        for message in messages:
            self.now_s += 0.1
            given_now = self.learner.feed(message, self.now_s)
            found = given_now or self.learner.pass_time(self.now_s) or found
        return found

    def wait(self, seconds: float) -> FaderBinding | ButtonBinding | None:
        found = None
        for _ in range(round(seconds * 10)):
            self.now_s += 0.1
            found = self.learner.pass_time(self.now_s) or found
        return found


def sweep(status: int, number: int) -> list[tuple[int, int, int]]:
    return [(status, number, value) for value in range(0, 128, 10)]


def test_a_fader_is_known_when_it_rests() -> None:
    lesson = Lesson(GAIN)
    assert lesson.move(*sweep(0xB2, 70)) is None
    assert lesson.wait(0.5) == FaderBinding(control=GAIN, cc=70, channel=3)
    assert lesson.learner.asked is None


def test_a_pair_is_known_as_a_pair() -> None:
    lesson = Lesson(GAIN)
    for value in range(0, 16384, 500):
        lesson.move((0xB0, 7, value >> 7), (0xB0, 39, value & 0x7F))
    assert lesson.wait(0.5) == FaderBinding(control=GAIN, cc=7, fine_cc=39, channel=1)


def test_neighbours_of_a_pair_are_none_by_themselves() -> None:
    for number in (7, 39, 71, 103):
        lesson = Lesson(GAIN)
        lesson.move(*sweep(0xB0, number))
        assert lesson.wait(0.5) == FaderBinding(control=GAIN, cc=number, channel=1)


def test_a_motor_fader_that_is_touched_is_known_by_its_pitch_bend() -> None:
    lesson = Lesson(GAIN)
    lesson.move((0x90, 104, 127), *((0xE1, 0, value) for value in range(0, 128, 9)), (0x90, 104, 0))
    assert lesson.wait(0.5) == FaderBinding(control=GAIN, pitch_bend=True, channel=2)


def test_a_button_or_a_bump_is_no_fader() -> None:
    lesson = Lesson(GAIN)
    lesson.move((0xB0, 50, 127), (0xB0, 50, 0), (0xB0, 9, 60), (0xB0, 9, 61), (0x90, 3, 99))
    assert lesson.wait(3.0) is None
    assert str(lesson.learner.asked) == GAIN


@pytest.mark.parametrize(
    ("press", "release", "where"),
    [
        ((0x94, 33, 90), (0x84, 33, 0), {"note": 33, "channel": 5}),
        ((0x94, 33, 90), (0x94, 33, 0), {"note": 33, "channel": 5}),
        ((0xB0, 80, 127), (0xB0, 80, 0), {"cc": 80, "channel": 1}),
    ],
)
def test_a_button_is_known_when_it_is_let_go(
    press: tuple[int, int, int], release: tuple[int, int, int], where: dict[str, int]
) -> None:
    lesson = Lesson(MUTE)
    assert lesson.move(press) is None
    found = lesson.move(release)
    assert found == ButtonBinding.model_validate({"control": MUTE, **where})


def test_a_button_that_remembers_its_state_is_followed() -> None:
    lesson = Lesson(MUTE)
    lesson.move((0xB0, 80, 127))
    assert lesson.wait(1.5) is None
    assert lesson.wait(1.0) == ButtonBinding(control=MUTE, cc=80, channel=1, mode="momentary")


def test_a_fader_that_runs_on_is_not_taken_twice() -> None:
    lesson = Lesson(GAIN, "bass.gain", MUTE)
    lesson.move(*sweep(0xB0, 1))
    lesson.wait(0.5)
    lesson.move(*sweep(0xB0, 1))
    assert lesson.wait(0.5) is None
    lesson.move(*sweep(0xB0, 2))
    assert lesson.wait(0.5) == FaderBinding(control="bass.gain", cc=2, channel=1)


def test_controls_can_be_left_out_and_asked_for_again() -> None:
    lesson = Lesson(GAIN, "wet", "panic")
    lesson.learner.skip()
    lesson.move(*sweep(0xB0, 1))
    lesson.wait(0.5)
    lesson.learner.back()
    assert str(lesson.learner.asked) == "wet"
    lesson.move(*sweep(0xB0, 5))
    lesson.wait(0.5)
    lesson.move((0x90, 9, 1), (0x90, 9, 0))
    learnt = lesson.learner.learnt("mine", description="", port="x")
    assert [fader.cc for fader in learnt.faders] == [5]
    assert [button.note for button in learnt.buttons] == [9]


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=4),
            st.tuples(st.sampled_from([0x80, 0x90, 0xB0, 0xE0]), *[st.integers(0, 127)] * 2),
            st.sampled_from(["wait", "skip", "back"]),
        ),
        max_size=200,
    )
)
def test_whatever_is_moved_the_map_is_one_that_can_be_used(
    actions: list[bytes | tuple[int, int, int] | str],
) -> None:
    lesson = Lesson(GAIN, "wet", MUTE, "bypass", "panic")
    for action in actions:
        if action == "skip":
            lesson.learner.skip()
        elif action == "back":
            lesson.learner.back()
        elif action == "wait":
            lesson.wait(2.5)
        else:
            lesson.move(action)
    learnt = lesson.learner.learnt("mine", description="", port="")
    assert len(learnt.bindings()) == lesson.learner.found
