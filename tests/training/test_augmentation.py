"""What each change of one stem does, and what it leaves alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from streamsep.training.augmentation import (
    Drive,
    DropStem,
    FlipSign,
    Gain,
    Lowpass,
    MakeMono,
    Scale,
    SwapChannels,
    Tilt,
    Varispeed,
)

RATE = 44_100
CHANGES = {
    "swap channels": SwapChannels(),
    "flip sign": FlipSign(),
    "mono": MakeMono(),
    "drop": DropStem(),
    "drive": Drive(),
    "varispeed": Varispeed(0.12),
    "tilt": Tilt(6.0, RATE),
    "scale": Scale(0.25, 1.25),
    "gain": Gain(-10.0, 3.0),
    "lowpass": Lowpass(RATE),
}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def stem():
    torch.manual_seed(0)
    return 0.2 * torch.randn(2, 16_384)


def tone(frequency: float, length: int = 44_100) -> torch.Tensor:
    """A stereo sine at half scale."""
    time = torch.arange(length, dtype=torch.float64) / RATE
    return (0.5 * torch.sin(2 * math.pi * frequency * time)).float().expand(2, -1)


def level(sound: torch.Tensor) -> float:
    """RMS."""
    return float(sound.square().mean().sqrt())


def strongest_frequency(sound: torch.Tensor) -> float:
    spectrum = torch.fft.rfft(sound[0] * torch.hann_window(sound.shape[-1])).abs()
    return float(spectrum.argmax()) * RATE / sound.shape[-1]


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
@settings(max_examples=15)
@given(seed=st.integers(0, 2**32), length=st.integers(2_000, 9_000), channels=st.integers(1, 2))
def test_every_change_keeps_shape_and_type(change, seed, length, channels):
    stem = 0.2 * torch.randn(channels, length, generator=torch.Generator().manual_seed(seed))
    before = stem.clone()
    changed = change(stem, np.random.default_rng(seed))
    assert changed.shape == stem.shape
    assert changed.dtype == torch.float32
    assert torch.isfinite(changed).all()
    assert torch.equal(stem, before), "the original was changed in place"


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_every_change_leaves_silence_silent(change, rng):
    assert not change(torch.zeros(2, 4_096), rng).any()


@pytest.mark.parametrize("change", [SwapChannels(), FlipSign()], ids=["swap channels", "flip sign"])
def test_what_is_its_own_inverse_gives_the_original_back(change, stem, rng):
    once = change(stem, rng)
    assert not torch.equal(once, stem)
    assert torch.equal(change(once, rng), stem)


def test_swapping_exchanges_left_and_right(stem, rng):
    assert torch.equal(SwapChannels()(stem, rng)[0], stem[1])


def test_mono_is_the_mean_in_every_channel(stem, rng):
    mono = MakeMono()(stem, rng)
    assert torch.equal(mono[0], mono[1])
    torch.testing.assert_close(mono[0], stem.mean(0))


def test_a_dropped_stem_is_silence(stem, rng):
    assert not DropStem()(stem, rng).any()


@pytest.mark.parametrize(
    ("change", "least", "most"),
    [(Scale(0.25, 1.25), 0.25, 1.25), (Gain(-10.0, 3.0), 10 ** (-10 / 20), 10 ** (3 / 20))],
    ids=["scale", "gain"],
)
def test_factors_fill_their_range_and_stay_in_it(change, least, most, stem):
    draws = [change(stem, np.random.default_rng(seed)) / stem for seed in range(100)]
    factors = [float(draw[0, 0]) for draw in draws]
    for draw, factor in zip(draws, factors, strict=True):
        torch.testing.assert_close(draw, torch.full_like(draw, factor))
    assert least <= min(factors) < least + 0.1 * (most - least)
    assert most - 0.1 * (most - least) < max(factors) <= most


def test_factors_are_even_and_gains_are_even_in_decibels(stem):
    def median(change) -> float:
        draws = [change(stem, np.random.default_rng(seed)) for seed in range(400)]
        return float(np.median([draw[0, 0] / stem[0, 0] for draw in draws]))

    assert median(Scale(0.25, 1.25)) == pytest.approx(0.75, abs=0.07)
    assert 20 * math.log10(median(Gain(-20.0, 0.0))) == pytest.approx(-10.0, abs=1.5)


def test_a_tilt_keeps_the_level_in_the_middle_of_the_spectrum():
    middle = tone(866)
    for seed in range(8):
        tilted = Tilt(6.0, RATE)(middle, np.random.default_rng(seed))
        assert level(tilted) == pytest.approx(level(middle), rel=0.01)


def test_a_tilt_raises_one_end_as_much_as_it_lowers_the_other():
    def gain_db(frequency: float, seed: int) -> float:
        sound = tone(frequency)
        tilted = Tilt(6.0, RATE)(sound, np.random.default_rng(seed))
        return 20 * math.log10(level(tilted) / level(sound))

    for seed in range(8):
        low, high = gain_db(50, seed), gain_db(15_000, seed)
        assert low == pytest.approx(-high, abs=0.1)
        assert abs(high) <= 6.1


def test_varispeed_moves_the_pitch_within_its_range():
    pitches = [
        strongest_frequency(Varispeed(0.1)(tone(1_000), np.random.default_rng(seed)))
        for seed in range(12)
    ]
    assert min(pitches) >= 895
    assert max(pitches) <= 1_105
    assert max(pitches) - min(pitches) > 50


def test_drive_keeps_the_peak_and_adds_harmonics(rng):
    sound = tone(1_000)
    driven = Drive()(sound, rng)
    assert float(driven.abs().max()) == pytest.approx(float(sound.abs().max()), rel=1e-3)
    third = 3 * sound.shape[-1] * 1_000 // RATE
    assert torch.fft.rfft(driven[0]).abs()[third] > 10 * torch.fft.rfft(sound[0]).abs()[third]


def test_a_lowpass_removes_treble_and_nothing_else():
    stems = torch.stack([tone(1_000), tone(20_000), tone(1_000) + tone(20_000)])
    for seed in range(8):
        filtered = Lowpass(RATE)(stems, np.random.default_rng(seed))
        torch.testing.assert_close(filtered[0], stems[0], rtol=0, atol=1e-5)
        assert level(filtered[1]) < 1e-5
        torch.testing.assert_close(filtered[2], stems[0], rtol=0, atol=1e-5)


def test_a_lowpass_cuts_all_stems_alike(rng):
    filtered = Lowpass(RATE)(torch.randn(1, 2, 8_192).repeat(4, 1, 1), rng)
    assert all(torch.equal(stem, filtered[0]) for stem in filtered)
