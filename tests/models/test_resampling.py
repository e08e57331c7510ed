"""Resampling inside networks is that of julius, with which the published weights were trained."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from parity import distance
from streams import noise
from support import require

from streamsep.models.resampling import SincResampler

RATIOS = [(1, 2), (2, 1), (2, 3), (3, 2), (1, 4)]


@pytest.mark.parametrize(("old", "new"), RATIOS)
def test_it_is_that_of_julius(old, new):
    require(find_spec("julius"), "julius is not installed")
    import julius

    resample = SincResampler(old, new)
    for length in (1, 2, 3, 100, 5_001):
        x = noise(3, length)
        assert torch.equal(resample(x), julius.resample_frac(x, old, new))


@settings(max_examples=40)
@given(ratio=st.sampled_from(RATIOS), length=st.integers(1, 500))
def test_the_length_is_that_of_the_ratio(ratio, length):
    old, new = ratio
    assert SincResampler(old, new)(noise(2, length)).shape == (2, length * new // old)


@pytest.mark.parametrize(("old", "new"), RATIOS)
def test_a_constant_stays_what_it_is(old, new):
    x = torch.full((1, 1_000), 0.7)
    assert distance(SincResampler(old, new)(x), torch.full((1, 1_000 * new // old), 0.7)) < 1e-6


def test_there_and_back_leaves_what_lies_below_the_cut_off():
    time = torch.arange(4_000, dtype=torch.float64)
    x = sum(torch.sin(time * frequency) for frequency in (0.05, 0.7, 2.5)).float()[None]
    back = SincResampler(2, 1)(SincResampler(1, 2)(x))
    assert distance(back[:, 200:-200], x[:, 200:-200]) < 1e-3


def test_twice_the_rate_has_nothing_above_the_old_nyquist_frequency():
    spectrum = torch.fft.rfft(SincResampler(1, 2)(noise(1, 1 << 14))[0])
    # The filter falls off between 0.89 and 1.0 of it.
    above = spectrum[spectrum.shape[0] // 2 :].abs().square().mean()
    assert above < 1e-4 * spectrum.abs().square().mean()


def test_there_is_nothing_to_save_or_learn():
    resample = SincResampler(1, 2)
    assert not list(resample.parameters())
    assert not resample.state_dict()


def test_half_precision_passes_through_in_single():
    x = noise(1, 500).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = SincResampler(1, 2)(x)
    assert y.dtype == torch.float32
    assert torch.equal(y, SincResampler(1, 2)(x.float()))
