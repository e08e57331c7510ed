"""Giving the mixture out again in the proportions of the estimates: what it does, what it costs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from fakes import Broken, Gains, SegmentShaped, SegmentSum
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import istft, stft
from streams import CHANNELS, RATES, collect, cuts, feed, noise, one_push

from streamsep.audio.nsdr import nsdr_db
from streamsep.engine import (
    CONSISTENCY_NAMES,
    REFINEMENT_NAMES,
    FixedLatencySeparator,
    NormalisedSeparator,
    OverlapConfig,
    StreamConfig,
    StreamingSeparator,
)
from streamsep.engine.refinement import WienerRefinement
from streamsep.errors import ConfigError
from streamsep.models import load_model
from streamsep.synthesis import synthesise_song

MINUS_120_DBFS = 1e-6
RATE = 44_100

# Longer than those of other tests: every segment costs several transforms of 4096 samples.
CONFIGS = {
    "stream": StreamConfig(context=1_500, hop=700, look_ahead=800, crossfade=400),
    "stream without future": StreamConfig(context=600, hop=900, look_ahead=0),
    "files": OverlapConfig(segment=1_001),
}
configs = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())


def sine(hertz: float, length: int) -> torch.Tensor:
    """A tone [1, 2, T], louder on the left."""
    wave = 0.3 * torch.sin(2 * torch.pi * hertz * torch.arange(length) / RATE)
    return torch.stack([wave, 0.5 * wave])[None]


# What comes out


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("window", [64, 2048])
@pytest.mark.parametrize("length", [2_048, 5_001])
def test_masks_and_transform_are_those_of_scipy(length, window, power):
    mix = noise(2, length)
    estimates = torch.stack([noise(2, length, seed) for seed in (1, 2, 3)])
    refined = WienerRefinement(power, window)(mix[None], estimates[None], slice(0, length))[0]

    hann = {"window": "hann", "nperseg": window, "noverlap": window - window // 4}
    amplitudes = np.abs(stft(estimates.double().numpy(), padded=False, **hann)[2])
    masks = amplitudes**power / (amplitudes**power).sum(0)
    mixture = stft(mix.double().numpy(), padded=False, **hann)[2]
    expected = istft(masks * mixture, **hann)[1]
    np.testing.assert_allclose(refined[..., : expected.shape[-1]], expected, atol=2e-6)


def test_what_lies_apart_in_the_spectrum_comes_back_however_wrong_its_size_was():
    stems = torch.stack([sine(500, 20_000), sine(3_000, 20_000)], dim=1)
    estimates = stems * torch.tensor([0.4, 0.7])[:, None, None]
    refined = WienerRefinement()(stems.sum(1), estimates, slice(0, 20_000))
    middle = slice(4_096, -4_096)
    assert (refined - stems)[..., middle].abs().max() <= 1e-3


def test_a_higher_power_gives_more_to_the_larger():
    mix = sine(500, 9_000)
    estimates = torch.stack([0.9 * mix, 0.3 * mix], dim=1)
    for power, share in ((1.0, 0.75), (2.0, 0.9)):
        refined = WienerRefinement(power)(mix, estimates, slice(0, 9_000))
        torch.testing.assert_close(refined[:, 0], share * mix, rtol=0, atol=1e-6)


@configs
def test_stems_that_already_sum_to_the_mixture_in_fixed_shares_stay(config):
    gains = (0.1, 0.2, 0.3, 0.4)
    mix = noise(2, 1_000)
    stems = one_push(StreamingSeparator(Gains(gains=gains), config, refinement="wiener"), mix)
    expected = torch.tensor(gains)[:, None, None] * mix
    torch.testing.assert_close(stems, expected, rtol=0, atol=MINUS_120_DBFS)


def test_the_mixture_is_shared_equally_when_nobody_is_heard():
    separator = Gains(gains=(0.0, 0.0, 0.0, 0.0))
    stream = StreamingSeparator(separator, CONFIGS["stream"], refinement="wiener")
    mix = noise(2, 300)
    stems = one_push(stream, mix)
    torch.testing.assert_close(stems, (mix / 4).expand(4, -1, -1), rtol=0, atol=1e-6)


@settings(max_examples=25)
@given(data=st.data(), length=st.integers(1, 900))
def test_what_comes_out_does_not_depend_on_what_is_wanted_or_on_what_lies_beyond(data, length):
    start = data.draw(st.integers(0, length - 1))
    wanted = slice(start, data.draw(st.integers(start + 1, length)))
    mix = noise(2, length)[None]
    estimates = torch.stack([mix.tanh(), noise(2, length, seed=1)[None]], dim=1)
    refine = WienerRefinement(window=64)
    whole = refine(mix, estimates, slice(0, length))
    part = refine(mix, estimates, wanted)
    torch.testing.assert_close(part, whole[..., wanted], rtol=0, atol=1e-6)
    torch.testing.assert_close(whole.sum(1), mix, rtol=0, atol=1e-6)
    heard = refine.heard(wanted)
    within = slice(wanted.start - heard.start, wanted.stop - heard.start)
    assert torch.equal(refine(mix[..., heard], estimates[..., heard], within), part)


def test_a_song_separated_by_the_starter_comes_closer_to_its_stems():
    song = synthesise_song(7, 2.0)
    mix = torch.from_numpy(song.mixture)
    network = load_model("starter")
    separator = NormalisedSeparator(network, 0.0, float(mix.std()))

    def score(refinement: str) -> float:
        config = OverlapConfig(segment=network.segment)
        stems = one_push(StreamingSeparator(separator, config, refinement=refinement), mix)
        scores = [
            nsdr_db(torch.from_numpy(song.stems[name]), stem)
            for name, stem in zip(network.sources, stems, strict=True)
        ]
        return sum(scores) / len(scores)

    assert score("wiener") > score("off")


# The sum


@configs
@pytest.mark.parametrize(("channels", "shifts"), [(1, 0), (2, 0), (6, 0), (2, 2)])
def test_stems_sum_to_the_mixture(config, channels, shifts):
    separator = SegmentShaped(sample_rate=2_000)  # shifts of up to half a second stay short
    stream = StreamingSeparator(
        separator, config, channels=channels, refinement="wiener", shifts=shifts
    )
    time = torch.arange(3_000) / RATE
    for mix in (
        noise(channels, 3_000),
        noise(channels, 3_000, level=10.0).clamp(-1, 1),
        torch.ones(channels, 3_000),
        torch.zeros(channels, 3_000),
        torch.sin(2 * torch.pi * 440 * time).expand(channels, -1),
    ):
        assert (one_push(stream, mix).sum(0) - mix).abs().max() <= 2 * MINUS_120_DBFS


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("consistency", ["other", "energy"])
def test_at_other_rates_consistency_adds_what_the_resamplers_took(rate, consistency):
    stream = StreamingSeparator(
        SegmentShaped(),
        CONFIGS["stream"],
        sample_rate=rate,
        refinement="wiener",
        consistency=consistency,
    )
    mix = noise(2, 4_000)
    assert (one_push(stream, mix).sum(0) - mix).abs().max() <= MINUS_120_DBFS


@pytest.mark.parametrize("value", [float("nan"), float("inf"), torch.finfo(torch.float32).max])
@pytest.mark.parametrize("consistency", CONSISTENCY_NAMES)
def test_what_a_network_makes_up_never_comes_out(value, consistency):
    stream = StreamingSeparator(
        Broken(value=value), CONFIGS["stream"], consistency=consistency, refinement="wiener"
    )
    mix = noise(2, 2_000)
    stems = one_push(stream, mix)
    assert torch.isfinite(stems).all()
    assert (stems.sum(0) - mix).abs().max() <= 2 * MINUS_120_DBFS


@configs
def test_the_largest_numbers_stay_finite(config):
    stream = StreamingSeparator(Gains(), config, refinement="wiener")
    loud = noise(2, 2_000, level=10.0).clamp(-1, 1) * torch.finfo(torch.float32).max
    assert torch.isfinite(one_push(stream, loud)).all()
    mix = noise(2, 2_000)
    assert (one_push(stream, mix).sum(0) - mix).abs().max() <= 2 * MINUS_120_DBFS


# The stream


@configs
@settings(max_examples=8)
@given(
    sizes=cuts,
    length=st.integers(0, 4_000),
    rate=st.sampled_from(RATES),
    channels=st.sampled_from(CHANNELS),
)
def test_random_cuts_give_the_bits_of_one_push(config, sizes, length, rate, channels):
    stream = StreamingSeparator(
        SegmentShaped(), config, sample_rate=rate, channels=channels, refinement="wiener"
    )
    mix = noise(channels, length)
    whole = one_push(stream, mix)
    assert whole.shape == (4, channels, length)
    assert torch.equal(feed(stream, mix, sizes), whole)


@configs
def test_one_sample_pushes_give_the_bits_of_one_push(config):
    stream = StreamingSeparator(SegmentShaped(), config, refinement="wiener")
    mix = noise(2, 1_500)
    whole = one_push(stream, mix)
    assert torch.equal(feed(stream, mix, [1]), whole)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("config", [CONFIGS["stream"], CONFIGS["files"]])
def test_it_costs_no_latency(config, rate):
    plain, refined = (
        StreamingSeparator(Gains(), config, sample_rate=rate, refinement=refinement)
        for refinement in REFINEMENT_NAMES
    )
    assert refined.latency_terms == plain.latency_terms


@pytest.mark.parametrize("rate", RATES)
def test_an_impulse_arrives_exactly_one_latency_late(rate):
    config = StreamConfig(context=8_192, hop=2_048, look_ahead=2_048, crossfade=1_024)
    stream = FixedLatencySeparator(
        StreamingSeparator(Gains(stride=2_048), config, sample_rate=rate, refinement="wiener")
    )
    position = 1_234
    signal = torch.zeros(2, position + stream.latency + 3_000)
    signal[:, position] = 1.0
    stems = torch.cat(collect(stream, signal, [480]), dim=-1)
    assert set(stems.abs().argmax(-1).flatten().tolist()) == {position + stream.latency}


@settings(max_examples=10)
@given(
    context=st.integers(0, 80),
    hop=st.integers(10, 40),
    look_ahead=st.integers(0, 40),
    crossfade=st.integers(0, 40),
    position=st.integers(0, 150),
)
def test_no_sample_depends_on_what_comes_later_than_its_latency(
    context, hop, look_ahead, crossfade, position
):
    crossfade = min(crossfade, hop, look_ahead)
    config = StreamConfig(context=context, hop=hop, look_ahead=look_ahead, crossfade=crossfade)
    stream = StreamingSeparator(SegmentSum(), config, refinement="wiener")
    signal = noise(2, 200)
    before = feed(stream, signal, [200])
    signal[:, position] += 1.0
    changed = (feed(stream, signal, [200]) != before).any(0).any(0).nonzero().flatten()
    assert int(changed[0]) > position - config.latency


# Mistakes


def test_an_unknown_refinement_is_named():
    with pytest.raises(ConfigError, match="'winer', expected one of off, wiener"):
        StreamingSeparator(Gains(), CONFIGS["files"], refinement="winer")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"power": 0.0}, "above 0 and at most 2, got 0.0"),
        ({"power": 2.5}, "above 0 and at most 2, got 2.5"),
        ({"power": float("nan")}, "above 0 and at most 2, got nan"),
        ({"window": 0}, "positive multiple of 4 samples, got 0"),
        ({"window": 4_095}, "positive multiple of 4 samples, got 4095"),
    ],
)
def test_values_out_of_range_are_refused(options, reason):
    with pytest.raises(ConfigError, match=reason):
        WienerRefinement(**options)
