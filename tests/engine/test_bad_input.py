"""Input, options and networks that are not as they should be."""

from __future__ import annotations

import math

import pytest
import torch
from fakes import Broken, Gains, Recording
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import CONFIGS, RATES, noise, one_push

from streamsep.engine import (
    CONSISTENCY_NAMES,
    NormalisedSeparator,
    OverlapConfig,
    Separator,
    StreamConfig,
    StreamingSeparator,
)
from streamsep.errors import ConfigError, InputError

CONFIG = CONFIGS["stream"]
NOT_FINITE = (math.nan, math.inf, -math.inf)
LARGEST = torch.finfo(torch.float32).max


@settings(max_examples=30)
@given(
    bad=st.dictionaries(st.integers(0, 1_499), st.sampled_from(NOT_FINITE), max_size=20),
    rate=st.sampled_from(RATES),
    consistency=st.sampled_from(CONSISTENCY_NAMES),
)
def test_samples_that_are_not_finite_count_as_silence(bad, rate, consistency):
    stream = StreamingSeparator(Gains(), CONFIG, sample_rate=rate, consistency=consistency)
    dirty = noise(2, 1_500)
    silenced = dirty.clone()
    for position, value in bad.items():
        dirty[1, position] = value
        silenced[1, position] = 0.0
    expected = one_push(stream, silenced)
    stems = [stream.push(dirty)]
    assert stream.replaced_samples == len(bad)
    stems.append(stream.flush())
    assert torch.equal(torch.cat(stems, dim=-1), expected)


def test_replaced_samples_add_up_over_a_stream():
    stream = StreamingSeparator(Gains(), CONFIG)
    assert stream.replaced_samples == 0
    for expected in (2, 4):
        stream.push(torch.tensor([[0.0, math.nan], [math.inf, 1.0]]))
        assert stream.replaced_samples == expected
    stream.reset()
    assert stream.replaced_samples == 0


def test_the_network_never_sees_what_is_not_finite():
    separator = Recording()
    stream = StreamingSeparator(separator, CONFIG, sample_rate=48_000)
    block = noise(2, 4_000)
    block[:, ::7] = math.nan
    one_push(stream, block)
    assert separator.segments
    assert all(torch.isfinite(segment).all() for segment in separator.segments)


@pytest.mark.parametrize("value", [*NOT_FINITE, LARGEST])
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("consistency", CONSISTENCY_NAMES)
def test_what_a_network_makes_up_never_comes_out(value, rate, consistency):
    stream = StreamingSeparator(
        Broken(value=value), CONFIG, sample_rate=rate, consistency=consistency
    )
    assert torch.isfinite(one_push(stream, noise(2, 3_000))).all()


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("consistency", CONSISTENCY_NAMES)
def test_the_largest_numbers_stay_finite(config, rate, consistency):
    separator = Recording()
    stream = StreamingSeparator(separator, config, sample_rate=rate, consistency=consistency)
    signal = noise(2, 3_000, level=10.0).clamp(-1, 1)
    huge = one_push(stream, signal * LARGEST)
    assert torch.isfinite(huge).all()
    assert all(torch.isfinite(segment).all() for segment in separator.segments)
    # And nothing of it stays behind.
    assert torch.isfinite(one_push(stream, signal)).all()


@pytest.mark.parametrize(
    "block",
    [
        torch.zeros(100),
        torch.zeros(1, 2, 100),
        torch.zeros(3, 100),
        torch.zeros(100, 2),
        torch.zeros(2, 100, dtype=torch.int16),
    ],
)
def test_a_block_of_another_shape_or_type_is_refused(block):
    stream = StreamingSeparator(Gains(), CONFIG, consistency="other")
    signal = noise(2, 300)
    expected = one_push(stream, signal)
    with pytest.raises(InputError, match=r"expected a float block \[C=2, t\], got \w+ \[.*100"):
        stream.push(block)
    assert torch.equal(one_push(stream, signal), expected)


def test_double_precision_is_taken_as_single():
    stream = StreamingSeparator(Gains(), CONFIG)
    stems = one_push(stream, noise(2, 300).double())
    assert stems.dtype == torch.float32
    torch.testing.assert_close(stems[0], noise(2, 300))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"context": -1}, "context, hop and look_ahead must be at least 0, 1 and 0"),
        ({"hop": 0}, "context, hop and look_ahead must be at least 0, 1 and 0"),
        ({"look_ahead": -1}, "context, hop and look_ahead must be at least 0, 1 and 0"),
        ({"crossfade": -1}, "crossfade must be from 0"),
        ({"crossfade": 9}, r"smaller of hop \(16\) and look_ahead \(8\), got 9"),
        ({"hop": 4, "crossfade": 5}, r"smaller of hop \(4\)"),
    ],
)
def test_a_live_configuration_out_of_range_is_refused(options, reason):
    with pytest.raises(ConfigError, match=reason):
        StreamConfig(**{"context": 8, "hop": 16, "look_ahead": 8, **options})


@pytest.mark.parametrize(
    "options",
    [
        {"segment": 1},
        {"segment": -5},
        {"overlap": 1.0},
        {"overlap": -0.1},
        {"overlap": math.nan},
        {"overlap": 0.999},
        {"transition_power": 0.5},
    ],
)
def test_a_file_configuration_out_of_range_is_refused(options):
    with pytest.raises(ConfigError):
        OverlapConfig(**{"segment": 100, **options})


@pytest.mark.parametrize("off_grid", ["context", "hop", "look_ahead"])
def test_live_segments_off_the_networks_grid_are_refused(off_grid):
    lengths = {"context": 4096, "hop": 2048, "look_ahead": 2048}
    config = StreamConfig(**{**lengths, off_grid: 3000})
    with pytest.raises(ConfigError, match=f"stride 2048, got {off_grid}=3000"):
        StreamingSeparator(Gains(stride=2048), config)


@pytest.mark.parametrize(
    "options",
    [
        {"shifts": -1},
        {"sample_rate": 0},
        {"sample_rate": -44_100},
        {"sample_rate": 10**9},
        {"channels": 0},
        {"channels": -2},
    ],
)
def test_a_stream_that_cannot_be_is_refused(options):
    with pytest.raises(ConfigError):
        StreamingSeparator(Gains(), CONFIG, **options)


def test_a_normalised_separator_sees_the_track_centred_and_scaled():
    within = Recording()
    separator = NormalisedSeparator(within, mean=0.5, deviation=2.0)
    assert isinstance(separator, Separator)
    mix = noise(2, 100)[None]
    torch.testing.assert_close(separator(mix), mix[:, None].expand(-1, 4, -1, -1))
    torch.testing.assert_close(within.segments[0], (mix - 0.5) / 2.0)
    facts = ("sample_rate", "channels", "sources", "stride")
    assert all(getattr(separator, fact) == getattr(within, fact) for fact in facts)
