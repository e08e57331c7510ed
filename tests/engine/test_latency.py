"""The latency that a stream declares is the one it has."""

from __future__ import annotations

import pytest
import torch
from fakes import Gains, SegmentSum
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import CONFIGS, RATES, collect, cuts, feed, noise

from streamsep.config import load_presets
from streamsep.engine import FixedLatencySeparator, StreamConfig, StreamingSeparator

PRESETS = load_presets()


def preset_config(name: str) -> StreamConfig:
    preset = PRESETS[name]
    return StreamConfig(
        context=preset.context,
        hop=preset.hop,
        look_ahead=preset.look_ahead,
        crossfade=preset.crossfade,
    )


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("name", PRESETS)
def test_an_impulse_arrives_exactly_one_latency_late(name, rate):
    stream = FixedLatencySeparator(
        StreamingSeparator(Gains(stride=2048), preset_config(name), sample_rate=rate)
    )
    position = 1_234
    signal = torch.zeros(2, position + stream.latency + 3_000)
    signal[:, position] = 1.0
    stems = torch.cat(collect(stream, signal, [480]), dim=-1)
    assert stems.shape == (4, 2, signal.shape[-1])
    assert set(stems.abs().argmax(-1).flatten().tolist()) == {position + stream.latency}


@pytest.mark.parametrize("name", PRESETS)
def test_at_the_networks_rate_latency_is_hop_and_look_ahead(name):
    preset = PRESETS[name]
    stream = StreamingSeparator(Gains(stride=2048), preset_config(name))
    assert stream.latency == preset.hop + preset.look_ahead == preset_config(name).latency
    assert stream.latency_terms.resampling == 0


@pytest.mark.parametrize("rate", RATES)
def test_latency_is_the_sum_of_its_terms(rate):
    stream = StreamingSeparator(Gains(), CONFIGS["stream"], sample_rate=rate)
    terms = stream.latency_terms
    assert stream.latency == terms.total == terms.network + terms.resampling
    assert terms.network >= CONFIGS["stream"].latency * rate / 44_100


@settings(max_examples=60)
@given(
    config=st.sampled_from(list(CONFIGS.values())),
    rate=st.sampled_from([8_000, 22_050, *RATES, 192_000]),
    sizes=cuts,
)
def test_a_live_stream_never_runs_dry(config, rate, sizes):
    stream = FixedLatencySeparator(StreamingSeparator(Gains(), config, sample_rate=rate))
    for block in (noise(2, size) for size in sizes * 8):
        assert stream.push(block).shape == (4, 2, block.shape[-1])


@pytest.mark.parametrize("size", [1, 64, 441, 4_096])
@pytest.mark.parametrize("rate", RATES)
def test_a_live_stream_never_runs_dry_in_the_long_run(rate, size):
    """The resamplers' bursts and the hops drift against each other."""
    config = StreamConfig(context=0, hop=441, look_ahead=100)
    stream = FixedLatencySeparator(
        StreamingSeparator(Gains(channels=1), config, sample_rate=rate, channels=1)
    )
    length = 5_000 if size == 1 else 150_000
    stems = torch.cat(collect(stream, noise(1, length), [size]), dim=-1)
    assert stems.shape[-1] == length


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_the_latency_is_not_longer_than_it_must_be(config):
    """Fed sample by sample, one sample less of it would run dry."""
    stream = StreamingSeparator(Gains(), config)
    returned, owed = 0, []
    for pushed in range(1, 1_000):
        returned += stream.push(torch.zeros(2, 1)).shape[-1]
        owed.append(pushed - returned)
    assert max(owed) == stream.latency - 1


@settings(max_examples=50)
@given(
    context=st.integers(0, 40),
    hop=st.integers(1, 20),
    look_ahead=st.integers(0, 20),
    crossfade=st.integers(0, 20),
    position=st.integers(0, 150),
)
def test_no_sample_depends_on_what_comes_later_than_its_latency(
    context, hop, look_ahead, crossfade, position
):
    crossfade = min(crossfade, hop, look_ahead)
    config = StreamConfig(context=context, hop=hop, look_ahead=look_ahead, crossfade=crossfade)
    stream = StreamingSeparator(SegmentSum(), config)
    signal = torch.ones(2, 200)
    before = feed(stream, signal, [200])
    signal[:, position] += 1.0
    changed = (feed(stream, signal, [200]) != before).any(0).any(0).nonzero().flatten()
    assert int(changed[0]) > position - config.latency


def test_every_sample_in_reach_of_the_look_ahead_counts():
    config = StreamConfig(context=12, hop=4, look_ahead=8)
    stream = StreamingSeparator(SegmentSum(), config)
    signal = torch.zeros(2, 48)
    signal[:, 31] = 1.0
    heard = feed(stream, signal, [48])[0, 0].nonzero().flatten()
    # Sample 31 is the last that the hop starting at 20 may hear, and the first of the context of
    # the segment that emits 44 to 47 lies at 32.
    assert (int(heard[0]), int(heard[-1])) == (31 - config.latency + 1, 43)
