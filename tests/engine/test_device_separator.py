"""A separator on a device is the separator; who uses it does not see the device."""

from __future__ import annotations

import pytest
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


NETWORKS_THAT_HEAR_SURROUNDINGS = ("demucs_v2", "demucs_time", "wave_u_net")


def streamed_live(network, there) -> torch.Tensor:
    stride = network.stride
    config = StreamConfig(context=20 * stride, hop=4 * stride, look_ahead=2 * stride)
    return separated(there, config, noise(2, 40 * stride))


@pytest.mark.parametrize("name", NETWORKS_THAT_HEAR_SURROUNDINGS)
def test_a_stream_of_a_network_that_hears_surroundings_is_the_same_to_the_bit(name) -> None:
    network = tiny_network(name).requires_grad_(False)
    got = streamed_live(network, DeviceSeparator(network, "cpu"))
    assert torch.equal(got, streamed_live(network, network))


@pytest.mark.parametrize("tiling", [streamed_live, "file"], ids=["live", "file"])
def test_what_hears_surroundings_is_computed_as_exactly_as_was_asked(tiling) -> None:
    network = tiny_network("demucs_v2").requires_grad_(False)

    def stems(precision) -> torch.Tensor:
        there = DeviceSeparator(network, "cpu", precision=precision)
        if tiling is streamed_live:
            return streamed_live(network, there)
        mix = noise(2, 150 * network.stride)
        return separated(there, OverlapConfig(segment=64 * network.stride), mix)

    exact, rounded = stems(None), stems("bfloat16")
    error_db = 10 * torch.log10((rounded - exact).square().sum() / exact.square().sum())
    assert -80 < error_db < -10


def test_a_stream_is_followed_only_where_that_is_as_exact_as_was_asked() -> None:
    network = tiny_network("hybrid_demucs").requires_grad_(False)
    stride = network.stride
    config = StreamConfig(context=20 * stride, hop=2 * stride, look_ahead=2 * stride)
    mix = noise(2, 50 * stride)

    def stems(precision: str | None, *, incremental: bool) -> torch.Tensor:
        there = DeviceSeparator(network, "cpu", precision=precision)
        return separated(there, config, mix, incremental=incremental)

    asked = stems("bfloat16", incremental=True)
    assert torch.equal(asked, stems("bfloat16", incremental=False))
    assert not torch.equal(asked, stems(None, incremental=True))
    # float32 on the processor is as ever, and goes on being followed.
    assert torch.equal(stems("float32", incremental=True), stems(None, incremental=True))


class HearingNeighbours(torch.nn.Module):
    """Adds the sample before each to it, wherever that lies."""

    sample_rate, channels, sources, stride, surroundings = 44_100, 2, ("left", "right"), 1, 1

    def forward(self, mix: torch.Tensor) -> torch.Tensor:
        return self.separate_within(mix, 0, mix.shape[-1])

    def separate_within(self, mix: torch.Tensor, start: int, length: int) -> torch.Tensor:
        before = torch.nn.functional.pad(mix, (1, 0))[..., :-1]
        return torch.stack([mix, mix + before], dim=1)[..., start : start + length]


@pytest.mark.parametrize("config", [LIVE, OverlapConfig(segment=64)], ids=["live", "file"])
def test_what_hears_surroundings_falls_back_to_the_processor_too(config) -> None:
    there = DeviceSeparator(HearingNeighbours(), "meta")
    mix = noise(2, 500)
    expected = separated(HearingNeighbours(), config, mix)
    assert torch.equal(separated(there, config, mix), expected)
    assert there.device == torch.device("cpu")


def test_live_segments_are_what_was_prepared(monkeypatch) -> None:
    # What a device has prepared it finds where it is handed whole segments.
    network = tiny_network("demucs_v2").requires_grad_(False)
    there = DeviceSeparator(network, "cpu")
    begun = []
    begin = there._executor.begin

    def noted(mix: torch.Tensor):
        begun.append(tuple(mix.shape))
        return begin(mix)

    monkeypatch.setattr(there._executor, "begin", noted)
    streamed_live(network, there)
    assert len(begun) >= 10
    assert set(begun) == {(1, 2, 26 * network.stride)}
