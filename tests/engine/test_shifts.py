"""The mean of passes over the signal moved by random delays."""

from __future__ import annotations

import pytest
import torch
from fakes import Gains, SegmentShaped
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import CONFIGS, noise, one_push

from streamsep.engine import StreamingSeparator


@settings(max_examples=20)
@given(shifts=st.integers(1, 4), seed=st.integers(0, 99), length=st.integers(0, 600))
def test_a_separator_that_does_not_mind_shifts_gives_the_plain_result(shifts, seed, length):
    separator = Gains(sample_rate=300, gains=(1.0, 0.5, -1.0, 0.0))
    mix = noise(2, length)
    plain = one_push(StreamingSeparator(separator, CONFIGS["files"]), mix)
    shifted = StreamingSeparator(separator, CONFIGS["files"], shifts=shifts, seed=seed)
    torch.testing.assert_close(one_push(shifted, mix), plain, rtol=1e-6, atol=1e-7)


def delayed(separator: SegmentShaped, mix: torch.Tensor, delay: int) -> torch.Tensor:
    """A plain pass over the signal after so much silence, the silence's share cut off."""
    late = torch.nn.functional.pad(mix, (delay, 0))
    return one_push(StreamingSeparator(separator, CONFIGS["files"]), late)[..., delay:]


@pytest.mark.parametrize("seed", range(4))
def test_two_shifts_are_the_mean_of_two_delayed_passes(seed):
    # At 14 Hz half a second is 7 samples: few enough to try every pair of delays.
    separator = SegmentShaped(sample_rate=14)
    mix = noise(2, 300)
    shifted = one_push(StreamingSeparator(separator, CONFIGS["files"], shifts=2, seed=seed), mix)
    passes = [delayed(separator, mix, delay) for delay in range(8)]
    means = [(one + other) / 2 for one in passes for other in passes]
    assert min(float((shifted - mean).abs().max()) for mean in means) < 1e-6


def test_a_seed_decides_the_shifts():
    mix = noise(2, 2_000)
    separator = SegmentShaped(sample_rate=1_000)
    one, again, other = (
        one_push(StreamingSeparator(separator, CONFIGS["files"], shifts=2, seed=seed), mix)
        for seed in (1, 1, 2)
    )
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_shifts_do_not_lengthen_the_latency():
    plain = StreamingSeparator(Gains(), CONFIGS["files"])
    shifted = StreamingSeparator(Gains(), CONFIGS["files"], shifts=3)
    assert shifted.latency == plain.latency
