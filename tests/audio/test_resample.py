from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from streamsep.audio import StreamResampler, resampled_length
from streamsep.audio.resample import HIGHEST_RATE
from streamsep.errors import ConfigError, InputError

PAIRS = [
    (44_100, 48_000),
    (48_000, 44_100),
    (44_100, 96_000),
    (96_000, 44_100),
    (8_000, 44_100),
    (44_100, 8_000),
    (192_000, 44_100),
    (44_100, 192_000),
    (44_101, 44_100),
]
rates = st.sampled_from([7_999, 8_000, 22_050, 44_100, 48_000, 96_000, 192_000])


def noise(channels: int, length: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(channels, length, generator=torch.Generator().manual_seed(seed))


def resample(
    resampler: StreamResampler, audio: torch.Tensor, cuts: list[int] | None = None
) -> torch.Tensor:
    """Push in pieces of the lengths of `cuts`, then the rest, then flush."""
    pieces, start = [], 0
    for cut in cuts or []:
        pieces.append(resampler.push(audio[:, start : start + cut]))
        start += cut
    pieces.append(resampler.push(audio[:, start:]))
    return torch.cat([*pieces, resampler.flush()], dim=1)


@pytest.mark.parametrize(("in_rate", "out_rate"), PAIRS)
def test_one_sample_pushes_give_the_bits_of_one_push(in_rate: int, out_rate: int) -> None:
    audio = noise(2, 6_000)
    resampler = StreamResampler(in_rate, out_rate, 2)
    whole = resample(resampler, audio)
    assert torch.equal(whole, resample(resampler, audio, [1] * audio.shape[1]))


@settings(deadline=None, max_examples=40)
@given(rates, rates, st.lists(st.integers(0, 900), max_size=12))
def test_any_cut_gives_the_bits_of_one_push(in_rate: int, out_rate: int, cuts: list[int]) -> None:
    audio = noise(1, 4_000)
    resampler = StreamResampler(in_rate, out_rate, 1)
    assert torch.equal(resample(resampler, audio), resample(resampler, audio, cuts))


@settings(deadline=None, max_examples=60)
@given(rates, rates, st.integers(0, 3_000))
def test_length_is_exact(in_rate: int, out_rate: int, length: int) -> None:
    out = resample(StreamResampler(in_rate, out_rate, 2), noise(2, length))
    assert out.shape == (2, resampled_length(length, in_rate, out_rate))
    assert out.dtype == torch.float32


@pytest.mark.parametrize("rate", [1, 2, 3, 11, 1_000, HIGHEST_RATE])
def test_length_is_exact_at_strange_rates(rate: int) -> None:
    for in_rate, out_rate in ((rate, 1_000), (1_000, rate)):
        out = resample(StreamResampler(in_rate, out_rate, 1), noise(1, 5))
        assert out.shape[1] == resampled_length(5, in_rate, out_rate)


@given(st.integers(0, 10**12), st.integers(1, HIGHEST_RATE), st.integers(1, HIGHEST_RATE))
def test_a_way_there_and_back_loses_no_sample(length: int, a: int, b: int) -> None:
    there = resampled_length(length, a, b)
    assert 0 <= there * a - length * b < a
    assert resampled_length(there, b, a) >= length


def test_a_way_there_and_back_is_the_signal_again() -> None:
    phase = 2 * torch.pi * 1_000 / 44_100 * torch.arange(30_000, dtype=torch.float64)
    tone = torch.sin(phase).float().unsqueeze(0)
    there = resample(StreamResampler(44_100, 48_000, 1), tone)
    back = resample(StreamResampler(48_000, 44_100, 1), there)[:, : tone.shape[1]]
    middle = slice(2_000, 28_000)
    torch.testing.assert_close(back[:, middle], tone[:, middle], atol=1e-6, rtol=0)


@pytest.mark.parametrize(("in_rate", "out_rate"), PAIRS)
def test_an_impulse_keeps_its_time(in_rate: int, out_rate: int) -> None:
    audio = torch.zeros(1, 20_000)
    audio[0, 10_000] = 1
    energy = resample(StreamResampler(in_rate, out_rate, 1), audio)[0].double() ** 2
    centre = (energy * torch.arange(len(energy))).sum() / energy.sum()
    assert float(centre) == pytest.approx(10_000 * out_rate / in_rate, abs=2e-3)


@pytest.mark.parametrize("in_rate", [44_100, 48_000])
def test_twenty_kilohertz_passes(in_rate: int) -> None:
    out_rate = {44_100: 48_000, 48_000: 44_100}[in_rate]
    n = np.arange(30_000)
    tone = torch.from_numpy(np.sin(2 * np.pi * 20_000 / in_rate * n)).float().unsqueeze(0)
    out = resample(StreamResampler(in_rate, out_rate, 1), tone)[0].double().numpy()
    middle = np.arange(3_000, 25_000)
    phase = 2 * np.pi * 20_000 / out_rate * middle
    basis = np.stack([np.sin(phase), np.cos(phase)], axis=1)
    (sine, cosine), *_ = np.linalg.lstsq(basis, out[middle], rcond=None)
    error = out[middle] - basis @ np.array([sine, cosine])
    assert 20 * np.log10(sine) == pytest.approx(0, abs=0.02)
    assert abs(cosine) < 1e-4, "no delay"
    assert 10 * np.log10(np.mean(error**2) * 2) < -120


@pytest.mark.parametrize(("in_rate", "out_rate"), PAIRS)
def test_the_lag_never_exceeds_the_latency(in_rate: int, out_rate: int) -> None:
    resampler = StreamResampler(in_rate, out_rate, 1)
    latency = resampler.latency
    sample = torch.zeros(1, 1)
    out = 0
    for pushed in range(1, 16_000):
        out += resampler.push(sample).shape[1]
        assert out >= (pushed - latency) * out_rate // in_rate


@settings(deadline=None, max_examples=25)
@given(st.sampled_from(PAIRS), st.lists(st.integers(0, 5_000), max_size=12))
def test_the_lag_never_exceeds_the_latency_for_any_cut(
    pair: tuple[int, int], cuts: list[int]
) -> None:
    resampler = StreamResampler(*pair, 1)
    pushed = out = 0
    for cut in cuts:
        out += resampler.push(torch.zeros(1, cut)).shape[1]
        pushed += cut
        assert out >= (pushed - resampler.latency) * pair[1] // pair[0]


@pytest.mark.parametrize(("in_rate", "out_rate"), PAIRS)
def test_the_latency_is_not_overstated(in_rate: int, out_rate: int) -> None:
    resampler = StreamResampler(in_rate, out_rate, 1)
    sample = torch.zeros(1, 1)
    out, worst = 0, 0.0
    for pushed in range(1, 16_000):
        worst = max(worst, pushed - 1 - out * in_rate / out_rate)
        out += resampler.push(sample).shape[1]
    assert worst <= resampler.latency <= worst * 1.05


def test_equal_rates_pass_blocks_through() -> None:
    resampler = StreamResampler(44_100, 44_100, 2)
    block = noise(2, 100)
    assert resampler.push(block) is block
    assert resampler.flush().shape == (2, 0)
    assert resampler.latency == 0


def test_flush_and_reset_leave_it_as_new() -> None:
    audio = noise(2, 3_000)
    resampler = StreamResampler(44_100, 48_000, 2)
    first = resample(resampler, audio)
    assert resampler.flush().shape == (2, 0)
    assert torch.equal(first, resample(resampler, audio))
    resampler.push(noise(2, 2_000, seed=1))
    resampler.reset()
    assert torch.equal(first, resample(resampler, audio))


@pytest.mark.parametrize(
    ("in_rate", "out_rate", "channels"),
    [(0, 44_100, 2), (44_100, 384_001, 2), (-1, 1, 2), (44_100, 48_000, 0)],
)
def test_impossible_streams_are_refused(in_rate: int, out_rate: int, channels: int) -> None:
    with pytest.raises(ConfigError, match="expected"):
        StreamResampler(in_rate, out_rate, channels)


def test_blocks_of_another_shape_are_refused() -> None:
    with pytest.raises(InputError, match=r"expected \[2, samples\]"):
        StreamResampler(44_100, 48_000, 2).push(torch.zeros(1, 64))
