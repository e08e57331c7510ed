"""Conv-TasNet computes what its paper says, written out; its blocks are those of torchaudio."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch
from parity import EXACT, TOLERANCE, distance
from plain_networks import conv_tasnet
from streams import noise
from support import require
from tiny_networks import shaken

from streamsep.errors import ConfigError
from streamsep.models.conv_tasnet import ConvTasNet, ConvTasNetConfig

SMALL = {"filters": 12, "bottleneck": 8, "hidden": 10, "blocks": 3, "repeats": 2}


def network_of(**options) -> ConvTasNet:
    torch.manual_seed(0)
    return shaken(ConvTasNet(ConvTasNetConfig(**{**SMALL, **options})))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"audio_channels": 1, "sources": ("a", "b", "c")},
        {"filter_length": 16, "kernel_size": 5},
    ],
    ids=str,
)
def test_the_network_is_that_of_the_paper(options):
    network = network_of(**options).double()
    config = network.config
    for hops in (2, 3, 100):
        mix = noise(network.channels, hops * network.stride).double()
        with torch.inference_mode():
            stems = network(mix[None])[0]
        expected = conv_tasnet(network.state_dict(), mix.numpy(), config)
        assert distance(stems, torch.from_numpy(expected)) <= EXACT


def test_the_end_of_a_mixture_of_broken_hops_is_separated_too():
    network = network_of()
    mix = noise(2, 1_007)
    with torch.inference_mode():
        stems = network(mix[None])
        padded = network(torch.cat([mix, torch.zeros(2, 3)], dim=-1)[None])
    assert torch.equal(stems, padded[..., :1_007])
    assert stems[..., -5:].abs().min() > 0


def test_a_block_equals_that_of_torchaudio():
    require(find_spec("torchaudio"), "torchaudio is not installed")
    from torchaudio.models.conv_tasnet import ConvBlock

    network = network_of()
    config = network.config
    for index, ours in enumerate(network.separator.network[2][1]):
        dilation = 2**index
        theirs = ConvBlock(
            config.bottleneck,
            config.hidden,
            config.kernel_size,
            padding=dilation,
            dilation=dilation,
        )
        inner = ours.net[3].net
        with torch.no_grad():
            for their_layer, our_layer in zip(
                [*theirs.conv_layers, theirs.res_out], [*ours.net[:3], *inner], strict=True
            ):
                their_bias = getattr(their_layer, "bias", None)
                gamma = getattr(our_layer, "gamma", None)
                their_layer.weight.copy_(our_layer.weight if gamma is None else gamma.flatten())
                if gamma is not None:
                    their_bias.copy_(our_layer.beta.flatten())
                elif their_bias is not None:
                    their_bias.zero_()
            x = noise(config.bottleneck, 200)[None]
            assert distance(ours(x), x + theirs(x)[0]) <= TOLERANCE


def test_names_of_weights_are_those_of_published_files():
    names = list(network_of(blocks=1, repeats=1).state_dict())
    block = "separator.network.2.0.0.net"
    assert names == [
        "encoder.conv1d_U.weight",
        "separator.network.0.gamma",
        "separator.network.0.beta",
        "separator.network.1.weight",
        f"{block}.0.weight",
        f"{block}.1.weight",
        f"{block}.2.gamma",
        f"{block}.2.beta",
        f"{block}.3.net.0.weight",
        f"{block}.3.net.1.weight",
        f"{block}.3.net.2.gamma",
        f"{block}.3.net.2.beta",
        f"{block}.3.net.3.weight",
        "separator.network.3.weight",
        "decoder.basis_signals.weight",
    ]


def test_the_default_network_has_the_shape_of_the_published_one():
    network = ConvTasNet()
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert shapes["encoder.conv1d_U.weight"] == (256, 2, 20)
    assert shapes["separator.network.2.3.9.net.3.net.0.weight"] == (512, 1, 3)
    assert shapes["separator.network.3.weight"] == (1_024, 256, 1)
    assert shapes["decoder.basis_signals.weight"] == (40, 256)
    assert sum(parameter.numel() for parameter in network.parameters()) == 10_977_872
    assert (network.stride, network.minimum_segment) == (10, 20)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"filter_length": 15}, "filter_length must be even and kernel_size odd, got 15 and 3"),
        ({"kernel_size": 2}, "got 20 and 2"),
        ({"blocks": 0}, "blocks must be at least 1, got 0"),
    ],
)
def test_a_network_that_cannot_be_is_refused(options, reason):
    with pytest.raises(ConfigError, match=reason):
        ConvTasNetConfig(**options)
