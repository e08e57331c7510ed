"""Faders and levels, there and back."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.midi.taper import Taper
from streamsep.config.midi_map import FaderBinding

bindings = st.builds(
    FaderBinding,
    control=st.sampled_from(["vocals.gain", "master", "wet"]),
    cc=st.just(1),
    taper=st.sampled_from(["desk", "db"]),
    highest_db=st.floats(0.1, 12.0),
    lowest_db=st.floats(-144.0, -1.0),
)
positions = st.integers(0, 16383).map(lambda step: step / 16383)


@given(bindings, positions, positions)
def test_a_level_never_falls_with_the_position(
    binding: FaderBinding, one: float, other: float
) -> None:
    low, high = sorted((one, other))
    assert Taper(binding).level(low) <= Taper(binding).level(high)


@given(bindings, positions)
def test_positions_are_found_again_but_for_the_notch(
    binding: FaderBinding, position: float
) -> None:
    taper = Taper(binding)
    found = taper.position(taper.level(position))
    assert found == pytest.approx(position, abs=0.51 / 127)
    assert taper.level(found) == pytest.approx(taper.level(position), abs=1e-9)


@given(bindings)
def test_the_ends_are_the_ends(binding: FaderBinding) -> None:
    taper = Taper(binding)
    is_wet = binding.control == "wet"
    assert taper.level(0.0) == (0.0 if is_wet else -math.inf)
    assert taper.level(1.0) in (1.0 if is_wet else binding.highest_db, 0.0)
    assert (taper.position(-math.inf), taper.position(99.0)) == (0.0, 1.0)


@pytest.mark.parametrize("steps", [127, 16383])
@given(bindings)
def test_every_fader_has_a_place_for_unity(steps: int, binding: FaderBinding) -> None:
    taper = Taper(binding)
    wanted = 1.0 if binding.control == "wet" else 0.0
    assert wanted in {taper.level(step / steps) for step in range(steps + 1)}
