"""Wave-U-Net computes what its paper says, written out."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from parity import EXACT, TOLERANCE, distance
from plain_networks import wave_u_net
from streams import noise
from tiny_networks import shaken

from streamsep.errors import ConfigError
from streamsep.models.wave_u_net import WaveUNet, WaveUNetConfig

SMALL = {"levels": 3, "filters": 4}


def network_of(**options) -> WaveUNet:
    torch.manual_seed(0)
    return shaken(WaveUNet(WaveUNetConfig(**{**SMALL, **options})))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"audio_channels": 1, "sources": ("a", "b")},
        {"levels": 2, "down_kernel": 5, "up_kernel": 3},
        {"difference": False},
    ],
    ids=str,
)
def test_the_network_is_that_of_the_paper(options):
    network = network_of(**options).double()
    out, given_length = network.valid_lengths(500)
    mix = noise(network.channels, given_length).double()
    with torch.inference_mode():
        stems = network.separate_valid(mix[None])[0]
    expected = wave_u_net(network.state_dict(), mix.numpy(), network.config)
    assert stems.shape == (len(network.sources), network.channels, out)
    estimated = stems[:-1] if network.config.difference else stems
    assert distance(estimated.flatten(0, 1), torch.from_numpy(expected)) <= EXACT


@settings(max_examples=15)
@given(length=st.integers(1, 600), level=st.sampled_from([1e-3, 1.0, 30.0]))
def test_stems_add_up_to_the_mixture(length, level):
    mix = noise(2, length, level=level)[None]
    with torch.inference_mode():
        stems = network_of()(mix)
    torch.testing.assert_close(stems.sum(dim=1), mix, rtol=1e-5, atol=1e-5)


def test_learned_upsampling_starts_half_way_between_and_moves():
    plain, learned = network_of(), network_of(learned_upsampling=True)
    with torch.no_grad():
        for upsample in learned.upsample:
            upsample.share.zero_()
    shares = {name: value for name, value in learned.state_dict().items() if "share" in name}
    assert [value.shape for value in shares.values()] == [(16,), (12,), (8,)]
    learned.load_state_dict({**plain.state_dict(), **shares})
    mix = noise(2, 300)[None]
    with torch.inference_mode():
        assert distance(learned(mix), plain(mix)) <= TOLERANCE
        for upsample in learned.upsample:
            upsample.share.fill_(50.0)  # the left neighbour alone
        assert distance(learned(mix), plain(mix)) > 0.01
        x = noise(16, 9)[None]
        assert torch.equal(learned.upsample[0](x)[..., 1::2], x[..., :-1])


def test_lengths_of_the_default_network_are_those_of_the_paper():
    network = WaveUNet()
    assert network.valid_lengths(16_384) == (16_389, 147_443)
    assert network.margin == (147_443 - 16_389) // 2
    assert network.stride == 4_096
    assert network.sample_rate == 22_050
    assert sum(parameter.numel() for parameter in network.parameters()) == 10_263_498


@settings(max_examples=30)
@given(
    length=st.integers(1, 3_000),
    levels=st.integers(1, 5),
    down=st.sampled_from([1, 3, 15]),
    up=st.sampled_from([1, 5]),
)
def test_valid_lengths_are_what_goes_in_and_comes_out(length, levels, down, up):
    network = WaveUNet(WaveUNetConfig(levels=levels, filters=1, down_kernel=down, up_kernel=up))
    out, given_length = network.valid_lengths(length)
    assert length <= out < length + network.stride
    assert given_length - out == 2 * network.margin
    with torch.inference_mode():
        stems = network.separate_valid(noise(2, given_length)[None])
    assert stems.shape[-1] == out


def test_an_estimate_depends_on_its_surroundings_and_no_more():
    network = network_of()
    length, place = 1_500, 700
    mix = noise(2, length)[None].requires_grad_()
    network(mix)[:, 0, :, place].sum().backward()
    touched = mix.grad[0].abs().sum(0).nonzero().flatten()
    reach = network.surroundings
    assert place - reach <= int(touched[0]) < place < int(touched[-1]) <= place + reach


def test_a_mixture_with_surroundings_of_its_own_needs_no_zeros():
    network = network_of()
    out, given_length = network.valid_lengths(400)
    mix = noise(2, given_length)[None]
    with torch.inference_mode():
        stems = network.separate_valid(mix)
        # Zeros in front of the whole do not move the grid of the decimations.
        whole = network(mix)[..., network.margin :][..., :out]
    assert network.margin % network.stride, "else the grids would agree"
    assert distance(whole, stems) > TOLERANCE
    aside = -network.margin % network.stride
    with torch.inference_mode():
        shifted = network(torch.cat([noise(2, aside, seed=1)[None], mix], dim=-1))
    start = aside + network.margin
    assert distance(shifted[..., start : start + out], stems) <= TOLERANCE


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"down_kernel": 4}, "must be odd, got 4 and 5"),
        ({"levels": 0}, "levels must be at least 1, got 0"),
        ({"sources": ("vocals",)}, "difference leaves the last of several stems"),
    ],
)
def test_a_network_that_cannot_be_is_refused(options, reason):
    with pytest.raises(ConfigError, match=reason):
        WaveUNetConfig(**options)
