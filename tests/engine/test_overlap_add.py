"""Overlapping segments become one output: against a naive reference, and by what must hold."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from fakes import FakeSeparator, Gains, SegmentShaped
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import noise, one_push
from torch import Tensor

from streamsep.engine import OverlapConfig, Separator, StreamConfig, StreamingSeparator

live_configs = st.builds(
    lambda context, hop, look_ahead, share: StreamConfig(
        context=context,
        hop=hop,
        look_ahead=look_ahead,
        crossfade=int(share * min(hop, look_ahead)),
    ),
    st.integers(0, 60),
    st.integers(1, 40),
    st.integers(0, 40),
    st.floats(0, 1),
)
file_configs = st.builds(
    OverlapConfig,
    segment=st.integers(8, 90),
    overlap=st.floats(0, 0.85),
    transition_power=st.floats(1, 12),
)


def file_by_hand(separator: Separator, mix: Tensor, config: OverlapConfig) -> np.ndarray:
    """Demucs' rule for files in the plainest terms, in double precision."""
    channels, length = mix.shape
    total = np.zeros((len(separator.sources), channels, length))
    weights = np.zeros(length)
    distance_to_edge = np.minimum(
        np.arange(config.segment) + 1, config.segment - np.arange(config.segment)
    )
    for start in range(0, length, int((1 - config.overlap) * config.segment)):
        chunk = mix[None, :, start : start + config.segment]
        size = chunk.shape[-1]
        weight = (distance_to_edge[:size] / distance_to_edge.max()) ** config.transition_power
        total[..., start : start + size] += weight * separator(chunk)[0].double().numpy()
        weights[start : start + size] += weight
    return total / weights


def live_by_hand(separator: Separator, mix: Tensor, config: StreamConfig) -> np.ndarray:
    """Segment by segment: emit a hop, and blend its start with what the one before said of it."""
    length = mix.shape[-1]
    padded = torch.nn.functional.pad(mix, (config.context, config.segment))
    fade_in = (np.arange(config.crossfade) + 0.5) / max(1, config.crossfade)
    hops, before = [], None
    for start in range(0, length, config.hop):
        estimate = separator(padded[None, :, start : start + config.segment])[0].double().numpy()
        hop = estimate[..., config.context : config.context + config.hop].copy()
        if before is not None and config.crossfade:
            seam = hop[..., : config.crossfade]
            hop[..., : config.crossfade] = fade_in * seam + (1 - fade_in) * before
        after = config.context + config.hop
        before = estimate[..., after : after + config.crossfade]
        hops.append(hop)
    return np.concatenate(hops, axis=-1)[..., :length]


@settings(max_examples=60)
@given(config=file_configs, length=st.integers(1, 400))
def test_files_follow_demucs_rule(config, length):
    mix = noise(2, length)
    stems = one_push(StreamingSeparator(SegmentShaped(), config), mix)
    expected = file_by_hand(SegmentShaped(), mix, config)
    np.testing.assert_allclose(stems.numpy(), expected, rtol=0, atol=1e-6)


@settings(max_examples=60)
@given(config=live_configs, length=st.integers(1, 400))
def test_streams_emit_hops_and_blend_their_seams(config, length):
    mix = noise(2, length)
    stems = one_push(StreamingSeparator(SegmentShaped(), config), mix)
    expected = live_by_hand(SegmentShaped(), mix, config)
    np.testing.assert_allclose(stems.numpy(), expected, rtol=0, atol=1e-6)


@settings(max_examples=60)
@given(config=st.one_of(live_configs, file_configs), length=st.integers(0, 400))
def test_estimates_that_agree_pass_unchanged(config, length):
    mix = noise(2, length)
    stems = one_push(StreamingSeparator(Gains(), config), mix)
    torch.testing.assert_close(stems, mix.expand(4, -1, -1), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("power", [1, 3, 8, 12, 100])
def test_sharp_transitions_of_long_segments_pass_unchanged(power):
    """The weights of a long segment's ends fall below what float32 can hold."""
    config = OverlapConfig(segment=131_072, transition_power=power)
    mix = noise(1, 230_000)
    stems = one_push(
        StreamingSeparator(Gains(channels=1, sources=("all",), gains=(1,)), config), mix
    )
    torch.testing.assert_close(stems[0], mix, rtol=1e-6, atol=1e-7)


@settings(max_examples=30)
@given(config=st.one_of(live_configs, file_configs), length=st.integers(0, 400))
def test_what_is_linear_stays_linear(config, length):
    stream = StreamingSeparator(Gains(gains=(1.0, -0.5, 0.25, 0.0)), config)
    one, other = noise(2, length, seed=1), noise(2, length, seed=2)
    together = one_push(stream, one + 2 * other)
    apart = one_push(stream, one) + 2 * one_push(stream, other)
    torch.testing.assert_close(together, apart, rtol=0, atol=1e-6)


class Counting(FakeSeparator):
    """Says of its n-th segment that all samples are n: it shows where seams lie."""

    def __init__(self) -> None:
        super().__init__(channels=1, sources=("all",))
        object.__setattr__(self, "calls", 0)

    def __call__(self, mix: Tensor) -> Tensor:
        object.__setattr__(self, "calls", self.calls + 1)
        return torch.full_like(mix[:, None], self.calls)


def test_a_seam_is_a_straight_line_from_one_segment_to_the_next():
    config = StreamConfig(context=0, hop=8, look_ahead=4, crossfade=4)
    stems = one_push(StreamingSeparator(Counting(), config), torch.zeros(1, 24))
    seam = torch.tensor([0.125, 0.375, 0.625, 0.875])
    flat = torch.ones(4)
    expected = torch.cat([flat, flat, 1 + seam, 2 * flat, 2 + seam, 3 * flat])
    torch.testing.assert_close(stems[0, 0], expected)


def test_the_weights_of_a_crossfade_sum_to_one():
    weight = StreamConfig(context=16, hop=16, look_ahead=8, crossfade=8).tiling(1).weight
    torch.testing.assert_close(weight[16:24] + weight[32:40], torch.ones(8))
    assert (weight[24:32] == 1).all()
    assert (weight[:16] == 0).all()
    assert (weight >= 0).all()


def test_every_segment_starts_on_the_grid_of_the_hop():
    """Also the last ones, so that a network always sees the stream in the same raster."""
    config = StreamConfig(context=32, hop=16, look_ahead=16)
    starts = []

    class Ramp(Gains):
        def __call__(self, mix: Tensor) -> Tensor:
            starts.append(int(mix[0, 0].max()) if mix.any() else 0)
            return super().__call__(mix)

    one_push(StreamingSeparator(Ramp(), config), torch.arange(1.0, 101.0).expand(2, -1))
    # The last sample seen, with numbers from 1: each segment reaches one hop further.
    assert starts == [32, 48, 64, 80, 96, 100, 100]
