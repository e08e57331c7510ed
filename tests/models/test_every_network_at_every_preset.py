"""Latency presets, rounded up to the strides of networks that have another one than 2048."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib.util import find_spec

import pytest
import torch
from fakes import SegmentShaped
from hypothesis import given
from hypothesis import strategies as st
from streams import feed, noise
from support import require

from streamsep import load_separator
from streamsep.config import load_presets
from streamsep.engine import (
    FixedLatencySeparator,
    NormalisedSeparator,
    Separator,
    StreamConfig,
    StreamingSeparator,
)
from streamsep.errors import ConfigError
from streamsep.models.architectures import ARCHITECTURES, Network, build_network
from streamsep.models.bag import Bag, Member

PRESETS = load_presets()
STRIDES_AND_SLIM_OPTIONS: dict[str, tuple[int, dict[str, object]]] = {
    "hybrid_demucs": (2048, {"hidden": 4}),
    "htdemucs": (1024, {"arguments": {"channels": 8, "bottom_channels": 16, "t_layers": 1}}),
    "demucs_v1": (4096, {"hidden": 2}),
    "demucs_v2": (2048, {"hidden": 2}),
    "demucs_time": (2048, {"hidden": 4}),
    "open_unmix": (1024, {"hidden": 4}),
    "conv_tasnet": (
        10,
        {"filters": 8, "bottleneck": 4, "hidden": 4, "blocks": 2, "repeats": 1},
    ),
    "wave_u_net": (4096, {"filters": 2}),
}
"""The strides of whole networks, and options that keep them and leave little to compute."""

every_network = pytest.mark.parametrize("architecture", ARCHITECTURES)
every_preset = pytest.mark.parametrize("preset", PRESETS)


@cache
def slim_network(architecture: str) -> Network:
    if architecture == "htdemucs":
        require(find_spec("demucs"), "demucs is not installed")
    torch.manual_seed(0)
    return build_network(architecture, STRIDES_AND_SLIM_OPTIONS[architecture][1]).eval()


def of_stride(stride: int) -> SegmentShaped:
    return SegmentShaped(stride=stride, channels=1, sources=("all",))


def fitted(preset: str, separator: Separator) -> StreamConfig:
    return StreamConfig.from_preset(PRESETS[preset]).fitted_to(separator)


@every_preset
@every_network
def test_every_network_streams_at_every_preset(architecture, preset):
    network = slim_network(architecture)
    assert network.stride == STRIDES_AND_SLIM_OPTIONS[architecture][0]
    config = fitted(preset, network)
    stream = StreamingSeparator(network, config)
    mix = noise(network.channels, config.latency)
    assert stream.push(mix[:, :-1]).shape[-1] == 0
    stems = stream.push(mix[:, -1:])
    assert stems.shape == (len(network.sources), network.channels, config.hop)
    assert torch.isfinite(stems).all()
    assert stream.latency == config.latency


@pytest.mark.parametrize("stride", [10, 1024, 2048, 4096, 3 * 2048])
@every_preset
def test_the_declared_latency_is_that_of_the_stream(preset, stride):
    separator = of_stride(stride)
    config = fitted(preset, separator)
    stream = StreamingSeparator(separator, config)
    mix = noise(1, 2 * config.hop + 5)
    whole = feed(stream, mix, [mix.shape[-1]])
    late = feed(FixedLatencySeparator(stream), mix, [7_777])
    assert torch.equal(late[..., config.latency :], whole)
    assert not late[..., : config.latency].any()


@given(
    stride=st.integers(1, 10_000),
    lengths=st.tuples(st.integers(0, 50_000), st.integers(1, 50_000), st.integers(0, 50_000)),
    share=st.floats(0, 1),
)
def test_fitting_rounds_up_by_less_than_a_stride(stride, lengths, share):
    context, hop, look_ahead = lengths
    config = StreamConfig(
        context=context,
        hop=hop,
        look_ahead=look_ahead,
        crossfade=int(share * min(hop, look_ahead)),
    )
    fit = config.fitted_to(of_stride(stride))
    fit.tiling(stride)
    for name in ("context", "hop", "look_ahead"):
        assert 0 <= getattr(fit, name) - getattr(config, name) < stride
    assert fit.crossfade == config.crossfade
    assert fit.fitted_to(of_stride(stride)) == fit


@pytest.mark.parametrize("stride", [1, 2, 1024, 2048])
@every_preset
def test_presets_stay_as_they_are_where_their_grid_is_the_networks(preset, stride):
    assert fitted(preset, of_stride(stride)) == StreamConfig.from_preset(PRESETS[preset])


@every_preset
def test_no_network_hears_more_of_the_past_than_it_makes_use_of(preset):
    starter = load_separator("starter")
    whole, fit = StreamConfig.from_preset(PRESETS[preset]), fitted(preset, starter)
    assert fit == replace(whole, context=min(whole.context, starter.longest_context))
    assert fit.fitted_to(NormalisedSeparator(starter, 0.0, 1.0)) == fit


def test_a_bag_streams_on_the_grid_of_all_its_members():
    bag = Bag([Member(name, slim_network(name), None) for name in ("demucs_time", "conv_tasnet")])
    config = fitted("live", bag)
    assert (bag.stride, config.hop, config.look_ahead) == (10_240, 10_240, 10_240)
    stream = StreamingSeparator(bag, config)
    assert stream.push(noise(2, config.latency)).shape[-1] == config.hop


def test_a_preset_that_was_not_fitted_is_refused_with_the_way_out():
    with pytest.raises(ConfigError, match=r"stride 4096, got hop=2048; fitted_to\(network\) ro"):
        StreamingSeparator(slim_network("demucs_v1"), StreamConfig.from_preset(PRESETS["shortest"]))
