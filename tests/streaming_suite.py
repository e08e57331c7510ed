"""What every separator owes to the streams above it, as tests to inherit.

A test module provides the fixture `separator`, inherits the suite, and all tests run on it. The
configurations follow from the separator's stride, so it should be small: a segment of four strides
is processed often.
"""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from streams import collect, cuts, feed, noise, one_push
from torch import Tensor

from streamsep.engine import (
    FixedLatencySeparator,
    OverlapConfig,
    Separator,
    StreamConfig,
    StreamingSeparator,
)

__all__ = ["StreamingSuite", "file_config", "live_config"]

# A fixture that hypothesis shares between examples is harmless here: separators have no state.
shared_separator = settings(
    max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def live_config(separator: Separator) -> StreamConfig:
    """Context, hop and look-ahead of whole strides, crossfade of half a stride."""
    stride = separator.stride
    return StreamConfig(
        context=2 * stride, hop=stride, look_ahead=stride, crossfade=max(1, stride // 2)
    )


def file_config(separator: Separator) -> OverlapConfig:
    """Segments of four strides, a quarter of which overlap."""
    return OverlapConfig(segment=4 * separator.stride)


class StreamingSuite:
    """Inherit this in a module that has a fixture `separator`."""

    @pytest.fixture(params=[live_config, file_config], ids=["live", "file"])
    def config(self, request, separator) -> StreamConfig | OverlapConfig:
        return request.param(separator)

    def test_it_is_a_separator(self, separator):
        assert isinstance(separator, Separator)
        assert separator.stride >= 1
        assert len(separator.sources) == len(set(separator.sources)) >= 1

    def test_every_length_from_one_sample_has_an_answer(self, separator):
        stride = separator.stride
        lengths = [*range(1, 40), stride - 1, stride + 1, *(k * stride for k in range(1, 8))]
        for length in filter(None, lengths):
            stems = _separate(separator, noise(separator.channels, length)[None])
            expected = (1, len(separator.sources), separator.channels, length)
            assert (stems.shape, stems.dtype) == (expected, torch.float32)
            assert torch.isfinite(stems).all(), f"at {length} samples"

    def test_silence_has_an_answer(self, separator):
        for length in (1, 7, 4 * separator.stride):
            stems = _separate(separator, torch.zeros(2, separator.channels, length))
            assert torch.isfinite(stems).all(), f"at {length} samples"

    def test_every_example_of_a_batch_is_separated_by_itself(self, separator):
        length = 4 * separator.stride
        mixes = noise(separator.channels, 3 * length).unflatten(1, (3, length)).transpose(0, 1)
        mixes = mixes * torch.tensor([1.0, 0.01, 3.0]).view(3, 1, 1)
        together = _separate(separator, mixes)
        for mix, stems in zip(mixes, together, strict=True):
            alone = _separate(separator, mix[None])[0]
            torch.testing.assert_close(stems, alone, rtol=1e-4, atol=float(1e-5 * alone.std()))

    @shared_separator
    @given(sizes=cuts, strides=st.integers(0, 9), odd=st.integers(0, 5))
    def test_chunk_invariance(self, separator, config, sizes, strides, odd):
        stream = StreamingSeparator(separator, config, consistency="energy")
        signal = noise(separator.channels, strides * separator.stride + odd)
        whole = one_push(stream, signal)
        assert torch.equal(feed(stream, signal, sizes), whole)

    def test_one_sample_pushes_give_the_bits_of_one_push(self, separator, config):
        stream = StreamingSeparator(separator, config)
        signal = noise(separator.channels, min(200, 6 * separator.stride + 3))
        whole = one_push(stream, signal)
        assert torch.equal(feed(stream, signal, [1]), whole)

    def test_latency_is_exact(self, separator):
        config = live_config(separator)
        stream = StreamingSeparator(separator, config)
        signal = noise(separator.channels, 9 * separator.stride + 5)
        whole = one_push(stream, signal)
        live = FixedLatencySeparator(stream)
        assert live.latency == config.hop + config.look_ahead
        late = torch.cat([*collect(live, signal, [separator.stride + 1]), live.flush()], dim=-1)
        assert torch.equal(late[..., : live.latency], torch.zeros_like(late[..., : live.latency]))
        assert torch.equal(late[..., live.latency :], whole)

    def test_nothing_depends_on_what_comes_later_than_the_latency(self, separator):
        config = live_config(separator)
        stream = StreamingSeparator(separator, config)
        position = 5 * separator.stride + 1
        signal = noise(separator.channels, 9 * separator.stride)
        before = one_push(stream, signal)
        signal[:, position] += 0.5
        changed = (one_push(stream, signal) != before).flatten(0, 1).any(0).nonzero().flatten()
        assert position - config.latency < int(changed[0]) <= position

    def test_flush_is_complete(self, separator, config):
        stream = StreamingSeparator(separator, config)
        segment = config.segment
        for length in (0, 1, 2, segment - 1, segment, segment + 1, 3 * segment + 2):
            stems = one_push(stream, noise(separator.channels, length))
            assert stems.shape == (len(separator.sources), separator.channels, length)

    @pytest.mark.parametrize("leave", ["flush", "reset"])
    def test_a_stream_that_was_left_is_as_new(self, separator, config, leave):
        stream = StreamingSeparator(separator, config)
        signal = noise(separator.channels, 6 * separator.stride)
        first = one_push(stream, signal)
        stream.push(noise(separator.channels, 3 * separator.stride + 1, seed=1, level=3.0))
        getattr(stream, leave)()
        assert torch.equal(one_push(stream, signal), first)


def _separate(separator: Separator, mix: Tensor) -> Tensor:
    with torch.inference_mode():
        return separator(mix)
