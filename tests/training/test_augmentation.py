"""What the changes to training examples do, and what they leave alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from streamsep.config.training import AugmentationConfig
from streamsep.training.augmentation import (
    Augmentation,
    drive,
    drop_stem,
    flip_sign,
    lowpass_all,
    make_mono,
    repitch,
    scale,
    swap_channels,
    tilt,
)

RATE = 44_100
CHANGES = {
    "swap channels": swap_channels,
    "flip sign": flip_sign,
    "mono": make_mono,
    "drop": drop_stem,
    "drive": drive,
    "repitch": repitch(0.12),
    "tilt": tilt(6.0, RATE),
    "scale": scale((-10.0, 3.0)),
    "lowpass": lambda stem, rng: lowpass_all(stem[None], rng, RATE)[0],
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


@pytest.mark.parametrize("change", [swap_channels, flip_sign])
def test_what_is_its_own_inverse_gives_the_original_back(change, stem, rng):
    once = change(stem, rng)
    assert not torch.equal(once, stem)
    assert torch.equal(change(once, rng), stem)


def test_swapping_exchanges_left_and_right(stem, rng):
    assert torch.equal(swap_channels(stem, rng)[0], stem[1])


def test_mono_is_the_mean_in_every_channel(stem, rng):
    mono = make_mono(stem, rng)
    assert torch.equal(mono[0], mono[1])
    torch.testing.assert_close(mono[0], stem.mean(0))


def test_a_dropped_stem_is_silence(stem, rng):
    assert not drop_stem(stem, rng).any()


def test_a_scale_stays_in_its_range(stem):
    gains = {
        float(scale((-10.0, 3.0))(stem, np.random.default_rng(seed))[0, 0] / stem[0, 0])
        for seed in range(50)
    }
    assert len(gains) == 50
    assert min(gains) >= 10 ** (-10 / 20)
    assert max(gains) <= 10 ** (3 / 20)


def test_a_tilt_keeps_the_level_in_the_middle_of_the_spectrum():
    middle = tone(866)
    for seed in range(8):
        tilted = tilt(6.0, RATE)(middle, np.random.default_rng(seed))
        assert level(tilted) == pytest.approx(level(middle), rel=0.01)


def test_a_tilt_raises_one_end_as_much_as_it_lowers_the_other():
    def gain_db(frequency: float, seed: int) -> float:
        sound = tone(frequency)
        tilted = tilt(6.0, RATE)(sound, np.random.default_rng(seed))
        return 20 * math.log10(level(tilted) / level(sound))

    for seed in range(8):
        low, high = gain_db(50, seed), gain_db(15_000, seed)
        assert low == pytest.approx(-high, abs=0.1)
        assert abs(high) <= 6.1


def test_a_repitch_moves_the_pitch_within_its_range():
    pitches = [
        strongest_frequency(repitch(0.1)(tone(1_000), np.random.default_rng(seed)))
        for seed in range(12)
    ]
    assert min(pitches) >= 895
    assert max(pitches) <= 1_105
    assert max(pitches) - min(pitches) > 50


def test_drive_keeps_the_peak_and_adds_harmonics(rng):
    sound = tone(1_000)
    driven = drive(sound, rng)
    assert float(driven.abs().max()) == pytest.approx(float(sound.abs().max()), rel=1e-3)
    third = 3 * sound.shape[-1] * 1_000 // RATE
    assert torch.fft.rfft(driven[0]).abs()[third] > 10 * torch.fft.rfft(sound[0]).abs()[third]


def test_a_lowpass_removes_treble_and_nothing_else():
    stems = torch.stack([tone(1_000), tone(20_000), tone(1_000) + tone(20_000)])
    for seed in range(8):
        filtered = lowpass_all(stems, np.random.default_rng(seed), RATE)
        torch.testing.assert_close(filtered[0], stems[0], rtol=0, atol=1e-5)
        assert level(filtered[1]) < 1e-5
        torch.testing.assert_close(filtered[2], stems[0], rtol=0, atol=1e-5)


def test_a_lowpass_cuts_all_stems_alike(rng):
    filtered = lowpass_all(torch.randn(1, 2, 8_192).repeat(4, 1, 1), rng, RATE)
    assert all(torch.equal(stem, filtered[0]) for stem in filtered)


def test_no_probability_means_no_change(stem, rng):
    config = AugmentationConfig(gain_db=(0.0, 0.0))
    stems = torch.stack([stem, 2 * stem])
    assert torch.equal(Augmentation.from_config(config, RATE)(stems, rng), stems)


def test_certainty_means_change_of_every_stem(stem, rng):
    stems = torch.stack([stem, 2 * stem, 3 * stem])
    config = AugmentationConfig(flip_sign=1.0, gain_db=(0.0, 0.0))
    assert torch.equal(Augmentation.from_config(config, RATE)(stems, rng), -stems)
    config = AugmentationConfig(stem_dropout=1.0)
    assert not Augmentation.from_config(config, RATE)(stems, rng).any()


def test_stems_draw_for_themselves(stem):
    stems = stem.expand(16, -1, -1)
    config = AugmentationConfig(flip_sign=0.5, gain_db=(0.0, 0.0))
    changed = Augmentation.from_config(config, RATE)(stems, np.random.default_rng(0))
    flipped = [torch.equal(one, -stem) for one in changed]
    assert 0 < sum(flipped) < 16
    assert all(
        torch.equal(one, stem) for one, other in zip(changed, flipped, strict=True) if not other
    )


def test_the_generator_decides(stem):
    config = AugmentationConfig(
        mono=0.5, swap_channels=0.5, flip_sign=0.5, repitch=0.5, tilt=0.5, drive=0.5, lowpass=0.5
    )
    augment = Augmentation.from_config(config, RATE)
    stems = stem.expand(4, -1, -1)
    one, again, other = (augment(stems, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
