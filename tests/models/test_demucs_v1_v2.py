"""Demucs v1 and v2 compute what their authors' code computes.

demucs 4 holds neither any more, but a class that can be made to be them: its decoder's convolutions
need only lose their padding.
"""

from __future__ import annotations

import re
from importlib.util import find_spec

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from parity import EXACT, TOLERANCE, distance, gradient_distance
from plain_networks import upsampling_demucs
from streams import noise
from support import require
from tiny_networks import shaken

from streamsep.errors import ConfigError
from streamsep.models.demucs_time import TimeDemucs, TimeDemucsConfig, time_weights_from_v2
from streamsep.models.demucs_v1_v2 import DemucsV1, DemucsV1Config, DemucsV2, DemucsV2Config

LENGTHS = (1, 2, 5, 2_048, 20_001)
VARIANTS = {
    "v1": DemucsV1Config(hidden=4),
    "v2": DemucsV2Config(hidden=4),
    "v2 mono": DemucsV2Config(hidden=4, audio_channels=1, sources=("voice", "rest"), depth=4),
    "more context": DemucsV1Config(hidden=4, depth=3, context=2, lstm_layers=1),
    "no GLU": DemucsV1Config(hidden=4, depth=4, glu=False),
    "no LSTM": DemucsV1Config(hidden=4, depth=4, lstm_layers=0),
    "no rewrite": DemucsV2Config(hidden=4, depth=4, rewrite=False),
    "deep and thin": DemucsV1Config(
        hidden=4, depth=12, kernel_size=4, stride=2, growth=2**0.5, lstm_layers=0
    ),
}
variants = pytest.mark.parametrize("config", VARIANTS.values(), ids=VARIANTS.keys())


def network_of(config: DemucsV1Config | DemucsV2Config) -> DemucsV1 | DemucsV2:
    torch.manual_seed(0)
    return shaken(DemucsV2(config) if isinstance(config, DemucsV2Config) else DemucsV1(config))


def demucs_twin(ours: DemucsV1 | DemucsV2) -> torch.nn.Module:
    """demucs 4's time network, made to be ours and with the weights of ours."""
    from demucs.demucs import Demucs

    config = ours.config
    theirs = Demucs(
        list(ours.sources),
        audio_channels=ours.channels,
        channels=config.hidden,
        growth=config.growth,
        depth=config.depth,
        rewrite=config.rewrite,
        lstm_layers=config.lstm_layers,
        kernel_size=config.kernel_size,
        stride=config.stride,
        context=config.context,
        gelu=False,
        glu=config.glu,
        norm_starts=999,
        dconv_mode=0,
        normalize=False,
        resample=isinstance(config, DemucsV2Config),
    )
    for layer in theirs.decoder:
        if config.rewrite:
            layer[0].padding = (0,)
    theirs.valid_length = ours.valid_length
    theirs.load_state_dict(dict(ours.state_dict()))
    return theirs.eval()


def name_in_demucs_4(name: str) -> str:
    return re.sub(r"^((en|de)coder\.\d+)\.2\.", r"\1.3.", name)


@variants
def test_the_network_equals_demucs(config):
    require(find_spec("demucs"), "demucs is not installed")
    ours = network_of(config)
    theirs = demucs_twin(ours)
    for length in LENGTHS:
        mix = noise(2 * config.audio_channels, length).unflatten(0, (2, -1))
        with torch.inference_mode():
            assert distance(ours(mix), theirs(mix)) <= TOLERANCE, f"at {length} samples"


@variants
def test_gradients_equal_those_of_demucs(config):
    require(find_spec("demucs"), "demucs is not installed")
    ours = network_of(config)
    mix = noise(config.audio_channels, 5_000)[None]
    far = gradient_distance(ours, demucs_twin(ours), mix, name_in_demucs_4)
    assert far <= EXACT


def test_interpolation_for_transposed_convolutions_does_what_it_says():
    config = DemucsV1Config(hidden=3, depth=3, upsample=True, lstm_layers=0)
    network = network_of(config)
    mix = noise(2, network.valid_length(700))
    with torch.inference_mode():
        stems = network.separate_valid(mix[None])[0]
    expected = upsampling_demucs(network.state_dict(), mix.double().numpy(), config)
    assert stems.shape[-1] >= 700
    assert distance(stems.flatten(0, 1), torch.from_numpy(expected)) <= TOLERANCE


def test_valid_lengths_are_those_of_the_released_code():
    v1, v2 = DemucsV1(DemucsV1Config(hidden=1)), DemucsV2(DemucsV2Config(hidden=1))
    upsampling = DemucsV1(DemucsV1Config(hidden=1, upsample=True))
    assert [v1.valid_length(n) for n in (1, 8_192, 20_001)] == [17_748, 21_844, 34_132]
    assert [v2.valid_length(n) for n in (1, 4_096, 20_001)] == [8_874, 10_922, 27_306]
    assert [upsampling.valid_length(n) for n in (1, 100, 8_192)] == [58_707, 62_803, 66_899]


@settings(max_examples=25)
@given(
    kind=st.sampled_from([DemucsV1, DemucsV2, "upsample"]),
    length=st.integers(1, 3_000),
    depth=st.integers(1, 3),
    stride=st.integers(2, 4),
    extra=st.integers(0, 5),
    context=st.integers(0, 2),
)
def test_a_valid_length_gives_what_was_asked_for(kind, length, depth, stride, extra, context):
    options = {"hidden": 2, "depth": depth, "stride": stride, "kernel_size": stride + extra}
    if kind is DemucsV2:
        network = DemucsV2(DemucsV2Config(context=context, lstm_layers=0, **options))
    else:
        upsample = kind == "upsample"
        network = DemucsV1(
            DemucsV1Config(context=context, lstm_layers=0, upsample=upsample, **options)
        )
    valid = network.valid_length(length)
    with torch.inference_mode():
        assert length <= network.separate_valid(noise(2, valid)[None]).shape[-1] <= valid


def test_surroundings_of_its_own_are_as_good_as_being_part_of_a_longer_mixture():
    network = network_of(DemucsV1Config(hidden=4, depth=3, lstm_layers=0))
    aside = 2 * network.stride
    mix = noise(2, network.valid_length(2_000) + 2 * aside)[None]
    with torch.inference_mode():
        long = network.separate_valid(mix)
        short = network.separate_valid(mix[..., aside:-aside])
    # Where it ends, a transposed convolution lacks one of the two steps that overlap elsewhere.
    ends = 2 * network.stride
    inner = long[..., aside + ends : -aside - ends]
    assert distance(short[..., ends:-ends], inner) <= TOLERANCE


def test_v2_without_context_is_a_time_network_of_v3():
    v2 = network_of(DemucsV2Config(hidden=4, context=0))
    v3 = time_network_like(v2, context=0)
    for length in LENGTHS:
        mix = noise(2, length)[None]
        with torch.inference_mode():
            assert distance(v3(mix), v2(mix)) <= TOLERANCE, f"at {length} samples"


def test_v2_in_a_time_network_of_v3_differs_at_the_ends_only():
    v2 = network_of(DemucsV2Config(hidden=4, depth=4, lstm_layers=0))
    v3 = time_network_like(v2, context=1)
    length = 30_000
    mix = noise(2, length)[None]
    # The grids coincide if both pad the left by the same amount, up to a stride.
    left = [(network.valid_length(length) - length) // 2 for network in (v2, v3)]
    assert (left[0] - left[1]) % v2.stride == 0
    with torch.inference_mode():
        old, new = v2(mix), v3(mix)
    assert distance(new[..., 5_000:-5_000], old[..., 5_000:-5_000]) <= TOLERANCE
    assert distance(new, old) > 0.1


def time_network_like(v2: DemucsV2, context: int) -> TimeDemucs:
    config = v2.config
    v3 = TimeDemucs(
        TimeDemucsConfig(
            hidden=config.hidden,
            depth=config.depth,
            context=context,
            lstm_layers=config.lstm_layers,
            gelu=False,
            norm_starts=999,
            encoder_branches=False,
            normalize=False,
        )
    )
    v3.load_state_dict(time_weights_from_v2(v2.state_dict()))
    return v3.eval()


def test_the_default_networks_have_the_size_of_the_papers():
    with torch.device("meta"):
        v1, v2 = DemucsV1(), DemucsV2()
    for network in (v1, v2):
        assert sum(parameter.numel() for parameter in network.parameters()) == 265_679_496
        assert (network.sample_rate, network.channels) == (44_100, 2)
        assert network.sources == ("drums", "bass", "other", "vocals")
    assert (v1.stride, v2.stride) == (4_096, 2_048)
    assert (v1.minimum_segment, v2.minimum_segment) == (12_288, 6_144)


def test_names_of_weights_are_those_of_published_files():
    names = set(DemucsV2(DemucsV2Config(hidden=2, depth=2)).state_dict())
    layers = {
        f"{side}.{index}.{place}"
        for side in ("encoder", "decoder")
        for index in (0, 1)
        for place in (0, 2)
    }
    lstm = {
        f"lstm.lstm.{kind}_{of}_l{layer}{way}"
        for kind in ("weight", "bias")
        for of in ("ih", "hh")
        for layer in (0, 1)
        for way in ("", "_reverse")
    }
    assert names == (
        {f"{name}.{kind}" for name in [*layers, "lstm.linear"] for kind in ("weight", "bias")}
        | lstm
    )


def test_a_step_of_the_innermost_layer_is_made_of_the_minimum_segment():
    network = network_of(DemucsV1Config(hidden=4, depth=3))
    inside = {}
    network.encoder[-1].register_forward_hook(lambda *args: inside.update(step=args[-1]))
    mix = noise(2, 2_000)[None].requires_grad_()
    network(mix)
    inside["step"][..., inside["step"].shape[-1] // 2].sum().backward()
    touched = mix.grad[0].abs().sum(0).nonzero().flatten()
    seen = int(touched[-1] - touched[0]) + 1
    assert network.minimum_segment - network.stride < seen <= network.minimum_segment


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"hidden": 0}, "hidden must be at least 1, got 0"),
        ({"stride": 1}, "stride must be at least 2, got 1"),
        ({"kernel_size": 3}, "kernel_size must be at least the stride 4"),
        ({"sources": ()}, "from one source to 32, got 0"),
        ({"lstm_layers": -1}, "lstm_layers must be at least 0, got -1"),
    ],
)
def test_a_network_that_cannot_be_is_refused(options, reason):
    with pytest.raises(ConfigError, match=reason):
        DemucsV1Config(**options)
    with pytest.raises(ConfigError, match=reason):
        DemucsV2Config(**options)
