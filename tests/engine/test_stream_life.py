"""A stream begins, ends, and begins again: lengths, flush and reset."""

from __future__ import annotations

import pytest
import torch
from fakes import Gains, SegmentShaped
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import CHANNELS, CONFIGS, RATES, cuts, feed, noise, one_push

from streamsep.engine import (
    CONSISTENCY_NAMES,
    FixedLatencySeparator,
    OverlapConfig,
    StreamConfig,
    StreamingSeparator,
)

configs = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())


@pytest.mark.parametrize(
    "config",
    [
        StreamConfig(context=8, hop=4, look_ahead=4, crossfade=2),
        StreamConfig(context=0, hop=3, look_ahead=0),
        OverlapConfig(segment=16),
        OverlapConfig(segment=9, overlap=0.8),
    ],
)
def test_as_much_comes_out_as_went_in_for_every_short_length(config):
    stream = StreamingSeparator(SegmentShaped(), config)
    for length in range(60):
        assert one_push(stream, noise(2, length)).shape == (4, 2, length)


@configs
@pytest.mark.parametrize("rate", [8_000, *RATES, 192_000])
def test_as_much_comes_out_as_went_in_around_a_segment(config, rate):
    stream = StreamingSeparator(SegmentShaped(), config, sample_rate=rate)
    segment = config.segment
    for length in (0, 1, 2, segment - 1, segment, segment + 1, 10 * segment + 7):
        assert one_push(stream, noise(2, length)).shape == (4, 2, length)


@settings(max_examples=40)
@given(
    config=st.sampled_from(list(CONFIGS.values())),
    length=st.integers(0, 6_000),
    sizes=cuts,
    rate=st.sampled_from(RATES),
    channels=st.sampled_from(CHANNELS),
    consistency=st.sampled_from(CONSISTENCY_NAMES),
)
def test_as_much_comes_out_as_went_in(config, length, sizes, rate, channels, consistency):
    stream = StreamingSeparator(
        SegmentShaped(), config, sample_rate=rate, channels=channels, consistency=consistency
    )
    assert feed(stream, noise(channels, length), sizes).shape == (4, channels, length)


@settings(max_examples=20)
@given(length=st.integers(0, 3_000), sizes=cuts, rate=st.sampled_from(RATES))
def test_a_live_stream_adds_its_latency_to_the_length(length, sizes, rate):
    stream = FixedLatencySeparator(
        StreamingSeparator(SegmentShaped(), CONFIGS["stream"], sample_rate=rate)
    )
    assert feed(stream, noise(2, length), sizes).shape == (4, 2, length + stream.latency)


@pytest.mark.parametrize("network_channels", [1, 2])
@pytest.mark.parametrize("channels", [1, 2, 3, 6])
def test_stems_have_the_channels_of_the_mixture_in_their_order(channels, network_channels):
    separator = Gains(channels=network_channels)
    stream = StreamingSeparator(separator, CONFIGS["files"], channels=channels)
    signal = noise(channels, 500)
    stems = one_push(stream, signal)
    assert stems.shape == (4, channels, 500)
    torch.testing.assert_close(stems, signal.expand(4, -1, -1))


def test_a_stream_has_the_rate_and_channels_of_its_separator_unless_told():
    stream = StreamingSeparator(Gains(sample_rate=22_050, channels=1), CONFIGS["files"])
    assert (stream.sample_rate, stream.channels) == (22_050, 1)
    assert stream.sources == ("drums", "bass", "other", "vocals")


@configs
@pytest.mark.parametrize("consistency", CONSISTENCY_NAMES)
@pytest.mark.parametrize("rate", RATES)
def test_flush_leaves_the_object_as_new(config, consistency, rate):
    stream = StreamingSeparator(SegmentShaped(), config, sample_rate=rate, consistency=consistency)
    signal = noise(2, 2_000)
    first = one_push(stream, signal)
    one_push(stream, noise(2, 1_237, seed=1, level=3.0))
    assert torch.equal(one_push(stream, signal), first)


@configs
@pytest.mark.parametrize("consistency", CONSISTENCY_NAMES)
@pytest.mark.parametrize("rate", RATES)
def test_reset_drops_everything(config, consistency, rate):
    stream = StreamingSeparator(SegmentShaped(), config, sample_rate=rate, consistency=consistency)
    signal = noise(2, 2_000)
    first = one_push(stream, signal)
    stream.push(noise(2, 1_237, seed=1, level=3.0))
    stream.reset()
    assert torch.equal(one_push(stream, signal), first)


@pytest.mark.parametrize("leave", ["flush", "reset"])
def test_a_live_stream_starts_anew(leave):
    stream = FixedLatencySeparator(StreamingSeparator(SegmentShaped(), CONFIGS["stream"]))
    signal = noise(2, 1_000)
    first = one_push(stream, signal)
    stream.push(noise(2, 777, seed=1))
    getattr(stream, leave)()
    assert torch.equal(one_push(stream, signal), first)


def test_flushing_an_unused_stream_gives_nothing():
    for shifts in (0, 2):
        stream = StreamingSeparator(Gains(), CONFIGS["files"], sample_rate=48_000, shifts=shifts)
        assert stream.flush().shape == (4, 2, 0)


def test_shorter_pushes_than_a_segment_give_nothing_yet():
    stream = StreamingSeparator(Gains(), OverlapConfig(segment=100))
    assert stream.push(noise(2, 99)).shape == (4, 2, 0)
    assert stream.push(noise(2, 1)).shape == (4, 2, 75)


@pytest.mark.parametrize("rate", RATES)
@configs
@settings(max_examples=5)
@given(sizes=cuts, shifts=st.sampled_from([0, 2]))
def test_nothing_comes_out_of_fewer_samples_than_wanted(config, sizes, rate, shifts):
    stream = StreamingSeparator(
        SegmentShaped(), config, sample_rate=rate, channels=1, shifts=shifts
    )
    stream.push(noise(1, 1))  # the first push of shifted streams brings their silence along
    for size in sizes:
        wanted = stream.wanted
        assert wanted >= 1
        stems = stream.push(noise(1, min(size, wanted - 1)))
        assert stems.shape[-1] == 0
        stems = stream.push(noise(1, stream.wanted))
        if rate == SegmentShaped().sample_rate and shifts == 0:
            assert stems.shape[-1] > 0
