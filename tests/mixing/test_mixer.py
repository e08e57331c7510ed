"""The mixer: exact at unity, never a jump, never a sample that is not finite."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mixing.desk import LONGEST, RATE, STEMS, Desk, noise

from bridge.mixing import RAMP_S, MixControls, Mixer

STEP = 1 / (RAMP_S * RATE)
RAMP = round(RAMP_S * RATE)
ROUNDING = 1e-6

blocks = st.lists(st.integers(0, LONGEST), max_size=20)
switches = ["drums.mute", "bass.solo", "vocals.mute", "bypass", "panic"]
turns = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(switches), st.sampled_from([0.0, 1.0])),
        st.tuples(st.just("wet"), st.floats(0.0, 1.0)),
        st.tuples(
            st.sampled_from(["drums.gain", "vocals.gain", "master"]),
            st.sampled_from([-math.inf, -40.0, -6.0, 0.0, 6.0, 12.0]),
        ),
    ),
    max_size=12,
)


@given(blocks)
def test_unity_is_exact_to_the_bit(lengths: list[int]) -> None:
    stems = noise(4, 2, 900)
    out = Desk("mix:1-2", "vocals:3-4", "drums:6,5", "dry:7-8").play(stems, blocks=lengths)
    np.testing.assert_array_equal(out[:2], stems[0] + stems[1] + stems[2] + stems[3])
    np.testing.assert_array_equal(out[2:4], stems[3])
    np.testing.assert_array_equal(out[[5, 4]], stems[0])
    np.testing.assert_array_equal(out[6:], stems.sum(0))


def test_outputs_without_a_route_are_silent() -> None:
    out = Desk("vocals:3-4").play(noise(4, 2, 500))
    assert not out[[0, 1, 4, 5, 6, 7]].any()


def test_a_mono_stem_plays_everywhere_and_a_stereo_one_on_one_output_as_its_mean() -> None:
    mono = noise(4, 1, 300)
    out = Desk("bass:1-3", "drums:8", channels=1).play(mono)
    for output in range(3):
        np.testing.assert_array_equal(out[output], mono[1, 0])
    np.testing.assert_array_equal(out[7], mono[0, 0])
    stereo = noise(4, 2, 300)
    np.testing.assert_allclose(Desk("bass:1").play(stereo)[0], stereo[1].mean(0), atol=1e-7)


def test_routes_that_meet_are_added() -> None:
    stems = noise(4, 2, 300)
    out = Desk("bass:1-2", "drums:2-3:-6").play(stems)
    gain = 10 ** (-6 / 20)
    np.testing.assert_allclose(out[1], stems[1, 1] + gain * stems[0, 0], atol=1e-7)


@given(turns, blocks, st.sampled_from(["mix:1-2", "drums:1-2", "vocals:1-2"]))
def test_no_step_is_larger_than_the_ramp_allows(
    changes: list[tuple[str, float]], lengths: list[int], route: str
) -> None:
    """With stems of constant 1, what is played is the factors themselves."""
    desk = Desk(route, ceiling_db=None)
    waiting = iter(changes)

    def turn(position: int) -> None:
        desk.controls.set(*next(waiting, ("wet", 1.0)))

    for source in range(5):
        desk.mixer.reset()
        desk.controls = MixControls(STEMS)
        waiting = iter(changes)
        stems, dry = np.zeros((4, 2, 3000), np.float32), np.zeros((2, 3000), np.float32)
        (stems[source] if source < 4 else dry).fill(1.0)
        out = desk.play(stems, dry, lengths, turn)
        # The first block may start anywhere: its gains are there from the first sample on.
        assert np.abs(np.diff(out[0])).max() <= STEP + ROUNDING


@given(turns, blocks)
def test_factors_arrive_exactly_and_within_one_ramp(
    changes: list[tuple[str, float]], lengths: list[int]
) -> None:
    stems, dry = noise(4, 2, 2400, peak=0.02), noise(2, 2400, peak=0.02, seed=1)
    desk, settled = Desk("mix:1-2", "other:3-4"), Desk("mix:1-2", "other:3-4")
    waiting = iter(changes)

    def turn(position: int) -> None:
        if position == 0:
            desk.play(stems[..., :1], dry[:, :1])
            for control, value in waiting:
                desk.controls.set(control, value)

    out = desk.play(stems, dry, lengths, turn)
    for name in desk.controls.names():
        settled.controls.set(name, desk.controls.get(name))
    # From silence to +12 dB of stem and +12 dB of master is a way of 15.8.
    begin = math.ceil(15.9 * RAMP)
    assert begin > 2400 or np.array_equal(
        out[:, begin:], settled.play(stems, dry, lengths)[:, begin:]
    )


@given(turns, blocks, blocks)
def test_the_output_does_not_depend_on_the_blocks(
    changes: list[tuple[str, float]], before: list[int], after: list[int]
) -> None:
    """A change is one at the start of a block; whatever the blocks after it, it sounds the same."""
    stems, dry = noise(4, 2, 1500, peak=0.01), noise(2, 1500, peak=0.01, seed=1)
    played = []
    for lengths in (before, after):
        desk = Desk("mix:1-2", "vocals:3-4", "dry:5-6")
        desk.play(stems[..., :10], dry[:, :10])
        for control, value in changes:
            desk.controls.set(control, value)
        played.append(desk.play(stems, dry, lengths))
    np.testing.assert_array_equal(played[0], played[1])


@pytest.mark.parametrize("switch", ["bypass", "panic"])
def test_bypass_and_panic_play_the_dry_input_within_one_ramp(switch: str) -> None:
    stems, dry = noise(4, 2, 1000), noise(2, 1000, seed=1)
    desk = Desk("mix:1-2")
    desk.controls.set("vocals.mute", 1)
    desk.controls.set("drums.gain", -30.0)
    desk.play(stems, dry)
    desk.controls.set(switch, 1)
    out = desk.play(stems, dry)
    np.testing.assert_array_equal(out[:2, RAMP:], dry[:, RAMP:])
    assert not np.array_equal(out[:2, :RAMP], dry[:, :RAMP])


def test_nothing_but_the_master_turns_in_a_panic() -> None:
    stems, dry = noise(4, 2, 1000), noise(2, 1000, seed=1)
    desk = Desk("mix:1-2")
    desk.controls.set("panic", 1)
    for name in ("bypass", "vocals.solo"):
        desk.controls.set(name, 1)
        desk.controls.set(name, 0)
    desk.controls.set("drums.gain", 6.0)
    np.testing.assert_array_equal(desk.play(stems, dry)[:2], dry)
    desk.controls.set("master", -math.inf)
    assert not desk.play(stems, dry)[:, RAMP + 1 :].any()


@pytest.mark.parametrize(
    ("routes", "dry_at"),
    [
        (("drums:1-2", "other:3-4", "vocals:5-6"), 2),  # like late stems: `other` takes it
        (("vocals:1-2", "drums:3-4"), 0),  # somebody has to
        (("vocals:5-6", "mix:3-4"), 2),  # the mix has it already
    ],
)
def test_the_dry_input_takes_the_place_of_stems_on_their_own_outputs(
    routes: tuple[str, ...], dry_at: int
) -> None:
    stems, dry = noise(4, 2, 1000), noise(2, 1000, seed=1)
    desk = Desk(*routes)
    desk.controls.set("bypass", 1)
    out = desk.play(stems, dry)
    np.testing.assert_array_equal(out[dry_at : dry_at + 2], dry)
    assert not np.delete(out, [dry_at, dry_at + 1], axis=0).any()


@given(st.floats(0.0, 1.0), blocks)
def test_wet_and_dry_together_keep_what_they_share(wet: float, lengths: list[int]) -> None:
    """Where the stems sum to the input, turning wet is not heard, not even on the way."""
    stems = np.zeros((4, 2, 1500), np.float32)
    stems[2] = noise(2, 1500)
    desk = Desk("mix:1-2")

    def turn(position: int) -> None:
        desk.controls.set("wet", wet if position else 1.0)

    out = desk.play(stems, stems[2], [100, *lengths], turn)
    np.testing.assert_allclose(out[:2], stems[2], atol=1e-6)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 299)), max_size=8),
    st.sampled_from([math.nan, math.inf, -math.inf, 3e38, -2e6]),
    st.booleans(),
)
def test_no_damaged_sample_is_ever_played(
    places: list[tuple[int, int]], value: float, also_dry: bool
) -> None:
    stems, dry = noise(4, 2, 300), noise(2, 300, seed=1)
    healthy = stems.copy(), dry.copy()
    for stem, position in places:
        stems[stem, 0, position] = value
        healthy[0][stem, 0, position] = 0.0
        if also_dry:
            dry[1, position] = value
            healthy[1][1, position] = 0.0
    given_stems = stems.copy()
    desk, other = Desk("mix:1-2", "dry:3-4"), Desk("mix:1-2", "dry:3-4")
    for each in (desk, other):
        each.controls.set("wet", 0.5)
    np.testing.assert_array_equal(desk.play(stems, dry), other.play(*healthy))
    np.testing.assert_array_equal(stems, given_stems)  # the caller's samples are the caller's
    assert (desk.mixer.damaged > 0) == bool(places)


def test_a_block_of_no_samples_is_nothing() -> None:
    """Not even a step of a ramp: what is played around it is as if it had not been."""
    stems, dry = noise(4, 2, 1000), noise(2, 1000, seed=1)
    played = []
    for empty_blocks in (0, 3):
        desk = Desk("mix:1-2", "vocals:3-4")
        parts = [desk.play(stems[..., :100], dry[:, :100])]
        desk.controls.set("vocals.gain", -30.0)
        desk.controls.set("bypass", 1)
        for begin in range(100, 1000, 50):
            for _ in range(empty_blocks):
                nothing = np.zeros((8, 0), np.float32)
                desk.mixer.mix(stems[..., :0], dry[:, :0], nothing, desk.controls)
            part = slice(begin, begin + 50)
            parts.append(desk.play(stems[..., part], dry[:, part]))
        played.append(np.concatenate(parts, axis=-1))
    np.testing.assert_array_equal(played[0], played[1])


def test_memory_does_not_grow_while_it_plays() -> None:
    desk = Desk("mix:1-2", "vocals:3-4")
    stems, dry = noise(4, 2, LONGEST), noise(2, LONGEST)
    out = np.empty((8, LONGEST), np.float32)

    def play(rounds: int) -> None:
        for number in range(rounds):
            desk.controls.set("vocals.gain", -(number % 40) * 1.0)
            desk.mixer.mix(stems, dry, out, desk.controls)

    play(50)
    tracemalloc.start()
    play(50)
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    play(500)
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 2_000
    # Not one buffer of a block's length on the way, either.
    assert peak - before < 4 * LONGEST + 20_000


def test_a_mixer_may_have_one_stem() -> None:
    controls = MixControls(("vocals",))
    mixer = Mixer(
        ("vocals",), Desk("vocals:1").mixer.routes, channels=1, outputs=1, sample_rate=RATE,
        longest_block=64,
    )  # fmt: skip
    stems, out = noise(1, 1, 64), np.empty((1, 64), np.float32)
    mixer.mix(stems, stems[0], out, controls)
    np.testing.assert_array_equal(out, stems[0])
