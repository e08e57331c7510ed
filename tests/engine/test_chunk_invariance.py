"""What comes out depends on the samples and their order, never on how they were cut."""

from __future__ import annotations

import pytest
import torch
from fakes import SegmentShaped
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import CHANNELS, CONFIGS, RATES, cuts, feed, noise, one_push

from streamsep.engine import CONSISTENCY_NAMES, FixedLatencySeparator, StreamingSeparator
from streamsep.engine.tiling import OverlapConfig, StreamConfig
from streamsep.models.hybrid_demucs import HybridDemucs, HybridDemucsConfig

configs = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())


@configs
@settings(max_examples=20)
@given(
    sizes=cuts,
    length=st.integers(0, 3_000),
    rate=st.sampled_from(RATES),
    channels=st.sampled_from(CHANNELS),
    consistency=st.sampled_from(CONSISTENCY_NAMES),
)
def test_random_cuts_give_the_bits_of_one_push(config, sizes, length, rate, channels, consistency):
    stream = StreamingSeparator(
        SegmentShaped(), config, sample_rate=rate, channels=channels, consistency=consistency
    )
    signal = noise(channels, length)
    whole = one_push(stream, signal)
    assert torch.equal(feed(stream, signal, sizes), whole)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(
    ("config", "channels", "consistency"),
    [("stream", 1, "other"), ("stream", 2, "energy"), ("files", 6, "off"), ("files", 2, "energy")],
)
def test_one_sample_pushes_give_the_bits_of_one_push(config, channels, consistency, rate):
    stream = StreamingSeparator(
        SegmentShaped(),
        CONFIGS[config],
        sample_rate=rate,
        channels=channels,
        consistency=consistency,
    )
    signal = noise(channels, 1_000 if rate == 44_100 else 2_500)
    whole = one_push(stream, signal)
    assert torch.equal(feed(stream, signal, [1]), whole)


@settings(max_examples=20)
@given(sizes=cuts, length=st.integers(0, 1_000))
def test_shifted_passes_are_cut_invariant(sizes, length):
    separator = SegmentShaped(sample_rate=500)
    stream = StreamingSeparator(separator, CONFIGS["files"], shifts=3, consistency="energy")
    signal = noise(2, length)
    whole = one_push(stream, signal)
    assert torch.equal(feed(stream, signal, sizes), whole)


@configs
@settings(max_examples=10)
@given(sizes=cuts, rate=st.sampled_from(RATES))
def test_a_live_stream_is_cut_invariant(config, sizes, rate):
    stream = FixedLatencySeparator(StreamingSeparator(SegmentShaped(), config, sample_rate=rate))
    signal = noise(2, 2_000)
    whole = one_push(stream, signal)
    assert torch.equal(feed(stream, signal, sizes), whole)


@pytest.mark.parametrize(
    "config",
    [
        StreamConfig(context=4096, hop=2048, look_ahead=2048, crossfade=512),
        OverlapConfig(segment=8192),
    ],
)
def test_a_real_network_gives_the_same_bits(config):
    torch.manual_seed(0)
    network = HybridDemucs(HybridDemucsConfig(hidden=4, layer_scale=0.3)).eval()
    stream = StreamingSeparator(network, config, consistency="other")
    signal = noise(2, 20_000)
    whole = one_push(stream, signal)
    assert whole.shape == (4, 2, 20_000)
    assert torch.equal(feed(stream, signal, [0, 1, 999, 5_000, 0, 3]), whole)


@pytest.mark.parametrize("consistency", CONSISTENCY_NAMES)
@pytest.mark.parametrize("rate", RATES)
def test_the_caller_may_reuse_its_block(consistency, rate):
    """A sound card hands over the same memory again and again."""
    stream = StreamingSeparator(
        SegmentShaped(), CONFIGS["stream"], sample_rate=rate, consistency=consistency
    )
    signal = noise(2, 3_000)
    whole = one_push(stream, signal)
    memory = torch.zeros(2, 100)
    stems = []
    for start in range(0, 3_000, 100):
        memory.copy_(signal[:, start : start + 100])
        stems.append(stream.push(memory).clone())
        memory.fill_(7.0)
    stems.append(stream.flush())
    assert torch.equal(torch.cat(stems, dim=-1), whole)


@pytest.mark.parametrize("rate", RATES)
def test_the_caller_may_overwrite_what_it_was_given(rate):
    stream = FixedLatencySeparator(
        StreamingSeparator(SegmentShaped(), CONFIGS["stream"], sample_rate=rate)
    )
    signal = noise(2, 3_000)
    whole = one_push(stream, signal)
    stems = []
    for start in range(0, 3_000, 250):
        given_back = stream.push(signal[:, start : start + 250])
        stems.append(given_back.clone())
        given_back.fill_(7.0)
    stems.append(stream.flush())
    assert torch.equal(torch.cat(stems, dim=-1), whole)
