"""A separator on a device is the separator; who uses it does not see the device."""

from __future__ import annotations

import torch
from fakes import SegmentShaped
from streams import noise
from tiny_networks import tiny_network

from streamsep.engine import DeviceSeparator, OverlapConfig, StreamConfig, StreamingSeparator
from streamsep.engine.separator import (
    DeferringSeparator,
    IncrementalSeparator,
    Separator,
    SurroundedSeparator,
)

LIVE = StreamConfig(context=64, hop=32, look_ahead=16, crossfade=8)


def separated(separator, config, mix, **options):
    stream = StreamingSeparator(separator, config, **options)
    return torch.cat([stream.push(mix), stream.flush()], dim=-1)


def test_it_states_what_the_separator_states() -> None:
    network = tiny_network("hybrid_demucs")
    there = DeviceSeparator(network, "cpu")
    assert isinstance(there, Separator)
    assert isinstance(there, SurroundedSeparator)
    assert isinstance(there, IncrementalSeparator)
    assert isinstance(there, DeferringSeparator)
    for fact in ("sample_rate", "channels", "sources", "stride"):
        assert getattr(there, fact) == getattr(network, fact)
    assert there.device == torch.device("cpu")


def test_a_stream_through_it_is_the_same_to_the_bit() -> None:
    mix = noise(2, 1000)
    expected = separated(SegmentShaped(), LIVE, mix)
    there = DeviceSeparator(SegmentShaped(), "cpu")
    there.prepare(LIVE.segment)
    assert torch.equal(separated(there, LIVE, mix), expected)


def test_a_file_of_a_network_that_hears_surroundings_is_the_same_to_the_bit() -> None:
    network = tiny_network("demucs_v2").requires_grad_(False)
    there = DeviceSeparator(network, "cpu")
    assert there.surroundings == network.surroundings > 0
    config = OverlapConfig(segment=64 * network.stride)
    mix = noise(2, 150 * network.stride + 5)
    assert torch.equal(separated(there, config, mix), separated(network, config, mix))


def test_a_stream_that_is_followed_is_the_same_to_the_bit() -> None:
    network = tiny_network("hybrid_demucs").requires_grad_(False)
    stride = network.stride
    config = StreamConfig(context=20 * stride, hop=2 * stride, look_ahead=2 * stride)
    mix = noise(2, 50 * stride)
    there = DeviceSeparator(network, "cpu")
    expected = separated(network, config, mix, incremental=True)
    assert torch.equal(separated(there, config, mix, incremental=True), expected)


def test_several_streams_share_what_has_fallen_back_to_the_processor() -> None:
    class Doubling(torch.nn.Module):
        sample_rate, channels, sources, stride = 44_100, 2, ("left", "right"), 1

        def forward(self, mix: torch.Tensor) -> torch.Tensor:
            return torch.stack([mix, 2 * mix], dim=1)

    there = DeviceSeparator(Doubling(), "meta")
    mix = noise(2, 1000)
    first, second = (separated(there, LIVE, mix) for _ in range(2))
    assert there.device == torch.device("cpu")
    assert torch.equal(first, second)
    assert torch.allclose(first[1], 2 * mix, atol=1e-6)
