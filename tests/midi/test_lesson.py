"""Learning while it plays: what is learnt works at once, and everything else goes on working."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from midi.controller import STEMS, map_of

from bridge.midi import LearnRequest, MidiInterpreter, MidiLesson
from bridge.mixing import MixControls
from streamsep.config.midi_map import ButtonBinding, FaderBinding, MidiMap
from streamsep.errors import ConfigError

DRUMS = {"control": "drums.gain", "cc": 7}
WET = {"control": "wet", "cc": 20, "pick_up": False}
STRINGS = {"control": "strings.gain", "cc": 40}


class Player:
    """Somebody who plays with a map and teaches it more."""

    def __init__(self, midi_map: MidiMap, *names: str) -> None:
        self.controls = MixControls(STEMS)
        self.interpreter = MidiInterpreter(midi_map, self.controls)
        self.lesson = MidiLesson(midi_map, self.interpreter, names)
        self._clock = count(1)

    def move(self, *messages: tuple[int, int, int]) -> FaderBinding | ButtonBinding | None:
        """Ten messages a second, then half a second of rest."""
        found = None
        for message in messages:
            now_s = next(self._clock) / 10
            if not self.interpreter.knows(message):
                found = self.lesson.feed(message, now_s) or found
                continue
            for change in self.interpreter.feed(message):
                self.controls.set(change.control, change.value)
        for _ in range(5):
            found = self.lesson.pass_time(next(self._clock) / 10) or found
        return found

    def learnt(self) -> MidiMap:
        return self.lesson.learnt("mine", description="", port="x")


def sweep(number: int) -> list[tuple[int, int, int]]:
    return [(0xB0, number, value) for value in range(0, 128, 10)]


def test_faders_that_mean_something_are_played_and_never_learnt() -> None:
    player = Player(map_of(WET), "vocals.gain")
    assert player.move(*sweep(20), (0xB0, 20, 127)) is None
    assert player.controls.get("wet") == 1.0
    player.move((0xB0, 20, 64))
    assert player.controls.get("wet") == 64 / 127
    assert str(player.lesson.asked) == "vocals.gain"


def test_what_is_learnt_works_at_once_after_it_has_been_picked_up() -> None:
    player = Player(map_of(DRUMS), "vocals.gain", "vocals.mute")
    assert player.move(*sweep(30)) == FaderBinding(control="vocals.gain", cc=30, channel=1)
    assert player.controls.get("vocals.gain") == 0.0
    player.move((0xB0, 30, 127), (0xB0, 30, 20))
    assert player.controls.get("vocals.gain") < -20.0
    assert player.move((0x90, 5, 99), (0x90, 5, 0)) == ButtonBinding(
        control="vocals.mute", note=5, channel=1
    )
    assert player.controls.get("vocals.mute") == 0.0
    player.move((0x90, 5, 99), (0x90, 5, 0))
    assert player.controls.get("vocals.mute") == 1.0
    assert player.lesson.asked is None


def test_the_map_keeps_all_that_was_played_with() -> None:
    base = map_of(DRUMS, WET, STRINGS, channel=1, pick_up=False)
    player = Player(base, "vocals.gain")
    player.move(*sweep(30))
    learnt = player.learnt()
    assert learnt.bindings()[:3] == base.bindings()
    assert [each.control for each in learnt.bindings()[3:]] == ["vocals.gain"]
    assert (learnt.channel, learnt.pick_up, learnt.port) == (1, False, "x")


def test_a_control_may_get_another_fader_and_keeps_its_old_one_if_it_is_left_out() -> None:
    player = Player(map_of(DRUMS, WET), "drums.gain", "wet")
    assert player.move(*sweep(9)) == FaderBinding(control="drums.gain", cc=9, channel=1)
    player.lesson.skip()
    player.move((0xB0, 20, 0))
    assert player.controls.get("wet") == 0.0
    assert {(each.control, *each.messages()) for each in player.learnt().bindings()} == {
        ("wet", ("cc", 20)),
        ("drums.gain", ("cc", 9)),
    }


def test_the_fader_that_a_control_had_can_be_learnt_again() -> None:
    player = Player(map_of(DRUMS), "drums.gain")
    assert player.move(*sweep(7)) == FaderBinding(control="drums.gain", cc=7, channel=1)
    assert len(player.learnt().bindings()) == 1


def test_a_fader_of_a_stem_that_is_not_there_may_be_taken_over() -> None:
    player = Player(map_of(STRINGS), "vocals.gain")
    player.move(*sweep(40))
    assert [each.control for each in player.learnt().bindings()] == ["vocals.gain"]


def test_others_do_not_have_to_meet_their_value_again() -> None:
    player = Player(map_of(DRUMS), "vocals.gain")
    player.move((0xB0, 7, 95), (0xB0, 7, 60))
    level = player.controls.get("drums.gain")
    player.move(*sweep(30))
    player.move((0xB0, 7, 59))
    assert player.controls.get("drums.gain") < level


def test_what_is_asked_for_is_what_was_named_or_what_has_nothing_yet() -> None:
    controls = MixControls(("vocals",))
    base = map_of({"control": "vocals.gain", "cc": 1}, WET)
    request = LearnRequest(path=Path("x.yaml"))
    assert request.names(base, controls) == [
        "vocals.mute", "vocals.solo", "bypass", "panic", "master",
    ]  # fmt: skip
    named = LearnRequest(path=Path("x.yaml"), controls=("wet",))
    assert named.names(base, controls) == ["wet"]
    strange = LearnRequest(path=Path("x.yaml"), controls=("drums.gain",))
    with pytest.raises(ConfigError, match="there is no stem 'drums'"):
        strange.names(base, controls)
    everything = map_of(*({"control": name, "cc": k} for k, name in enumerate(controls.names())))
    with pytest.raises(ConfigError, match="name those to learn anew with --learn"):
        request.names(everything, controls)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from([0x90, 0xB0, 0xE0]), st.integers(0, 50), st.integers(0, 127)),
            st.integers(0, 50),
            st.sampled_from(["skip", "back"]),
        ),
        max_size=60,
    )
)
def test_whatever_is_moved_the_map_is_one_that_can_be_used(
    actions: list[tuple[int, int, int] | int | str],
) -> None:
    base = map_of(DRUMS, WET, STRINGS, {"control": "panic", "note": 3})
    player = Player(base, "drums.gain", "vocals.gain", "panic", "drums.gain", "drums.mute")
    for action in actions:
        if action == "skip":
            player.lesson.skip()
        elif action == "back":
            player.lesson.back()
        else:
            player.move(*(sweep(action) if isinstance(action, int) else [action]))  # type: ignore[list-item]
    player.lesson.finish()
    learnt = player.learnt()  # two that listen to the same are an error
    known = {each.control for each in learnt.bindings()}
    assert {"drums.gain", "wet", "panic"} <= known
    # What the interpreter plays with is the map.
    for binding in learnt.bindings():
        if binding.control == "strings.gain":
            continue
        for kind, number in binding.messages():
            status = {"cc": 0xB0, "note": 0x90, "pitch_bend": 0xE0}[kind]
            message = (status + (binding.channel or 1) - 1, number or 0, 1)
            assert player.interpreter.knows(message)
