"""With consistency on, all stems together are the mixture."""

from __future__ import annotations

import pytest
import torch
from fakes import Gains, SegmentShaped
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import CHANNELS, CONFIGS, RATES, cuts, feed, noise, one_push

from streamsep.engine import OverlapConfig, StreamingSeparator
from streamsep.errors import ConfigError

MINUS_120_DBFS = 1e-6
CONSISTENT = pytest.mark.parametrize("consistency", ["other", "energy"])


def signals(channels: int, length: int) -> dict[str, torch.Tensor]:
    time = torch.arange(length) / 44_100
    return {
        "noise": noise(channels, length),
        "full-scale noise": noise(channels, length, level=10.0).clamp(-1, 1),
        "DC": torch.ones(channels, length),
        "silence": torch.zeros(channels, length),
        "sine": torch.sin(2 * torch.pi * 440 * time).expand(channels, -1),
        "square at Nyquist": torch.tensor([1.0, -1.0]).repeat(channels, length // 2),
    }


@CONSISTENT
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("kind", signals(1, 2))
def test_stems_sum_to_the_mixture(kind, rate, consistency):
    for channels in CHANNELS:
        stream = StreamingSeparator(
            SegmentShaped(),
            CONFIGS["stream"],
            sample_rate=rate,
            channels=channels,
            consistency=consistency,
        )
        mix = signals(channels, 4_000)[kind]
        stems = one_push(stream, mix)
        assert (stems.sum(0) - mix).abs().max() <= MINUS_120_DBFS


@CONSISTENT
@settings(max_examples=20)
@given(
    config=st.sampled_from(list(CONFIGS.values())),
    length=st.integers(0, 3_000),
    sizes=cuts,
    rate=st.sampled_from(RATES),
)
def test_stems_sum_to_the_mixture_at_any_length(config, length, sizes, rate, consistency):
    stream = StreamingSeparator(SegmentShaped(), config, sample_rate=rate, consistency=consistency)
    mix = noise(2, length)
    stems = feed(stream, mix, sizes)
    assert stems.shape[-1] == length
    torch.testing.assert_close(stems.sum(0), mix, rtol=0, atol=MINUS_120_DBFS)


@pytest.mark.parametrize("rate", RATES)
def test_the_residual_in_other_leaves_the_other_stems_alone(rate):
    mix = noise(2, 3_000)
    plain, consistent = (
        one_push(
            StreamingSeparator(
                SegmentShaped(), CONFIGS["files"], sample_rate=rate, consistency=consistency
            ),
            mix,
        )
        for consistency in ("off", "other")
    )
    assert torch.equal(plain[[0, 1, 3]], consistent[[0, 1, 3]])
    assert not torch.equal(plain[2], consistent[2])


def test_shared_by_energy_gives_to_whoever_plays():
    separator = Gains(gains=(1.0, 0.5, 0.0, 0.0))
    stream = StreamingSeparator(separator, OverlapConfig(segment=64), consistency="energy")
    mix = noise(2, 1_000)
    stems = one_push(stream, mix)
    # Half a mixture too much, and four fifths of the energy are the drums'.
    expected = torch.tensor([1.0 - 0.5 * 0.8, 0.5 - 0.5 * 0.2, 0.0, 0.0])[:, None, None] * mix
    torch.testing.assert_close(stems, expected, rtol=0, atol=1e-6)


def test_shared_by_energy_shares_equally_when_nobody_plays():
    stream = StreamingSeparator(
        Gains(gains=(0.0, 0.0, 0.0, 0.0)), OverlapConfig(segment=64), consistency="energy"
    )
    mix = noise(2, 300)
    torch.testing.assert_close(one_push(stream, mix), (mix / 4).expand(4, -1, -1))


def test_stems_that_already_sum_to_the_mixture_stay():
    separator = Gains(gains=(0.25, 0.25, 0.25, 0.25))
    mix = noise(2, 1_000)
    for consistency in ("other", "energy"):
        stream = StreamingSeparator(separator, CONFIGS["stream"], consistency=consistency)
        stems = one_push(stream, mix)
        torch.testing.assert_close(stems, (mix / 4).expand(4, -1, -1), rtol=0, atol=1e-6)


def test_a_residual_needs_a_stem_called_other():
    separator = Gains(sources=("vocals", "accompaniment"), gains=(1.0, 0.0))
    with pytest.raises(ConfigError, match="use 'energy' or 'off'"):
        StreamingSeparator(separator, CONFIGS["files"], consistency="other")
    StreamingSeparator(separator, CONFIGS["files"], consistency="energy")


def test_an_unknown_consistency_is_named():
    with pytest.raises(ConfigError, match="'wiener', expected one of off, other, energy"):
        StreamingSeparator(Gains(), CONFIGS["files"], consistency="wiener")
