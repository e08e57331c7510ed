"""The time-only Demucs of v3 computes what demucs computes, whatever the options."""

from __future__ import annotations

import json
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from parity import EXACT, TOLERANCE, distance, gradient_distance
from streams import noise
from support import require, shared
from tiny_networks import shaken

from streamsep.errors import ConfigError
from streamsep.models.demucs_time import TimeDemucs, TimeDemucsConfig

LENGTHS = (1, 2, 5, 2_048, 3_001)
SMALL = {"hidden": 8, "depth": 4, "norm_starts": 2}
STARTS = {"branch_lstm_starts": 2, "branch_attention_starts": 2}
VARIANTS = {
    "default": TimeDemucsConfig(hidden=8),
    "MDX": TimeDemucsConfig(hidden=8, rewrite=False),
    "mono": TimeDemucsConfig(**SMALL, **STARTS, audio_channels=1, sources=("voice", "rest")),
    "plain": TimeDemucsConfig(**SMALL, **STARTS, normalize=False, resample=False, context=0),
    "ReLU": TimeDemucsConfig(**SMALL, **STARTS, gelu=False, glu=False, lstm_layers=1),
    "in the decoder": TimeDemucsConfig(
        **SMALL, **STARTS, encoder_branches=False, decoder_branches=True
    ),
    "in both": TimeDemucsConfig(
        hidden=16,
        growth=1.5,
        depth=3,
        norm_starts=1,
        branch_lstm_starts=1,
        branch_attention_starts=2,
        decoder_branches=True,
        branch_depth=-3,
        branch_compress=3,
    ),
}
variants = pytest.mark.parametrize("config", VARIANTS.values(), ids=VARIANTS.keys())


def network_of(config: TimeDemucsConfig) -> TimeDemucs:
    torch.manual_seed(0)
    return shaken(TimeDemucs(config))


def demucs_twin(ours: TimeDemucs) -> torch.nn.Module:
    """demucs' network with the weights of ours."""
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
        gelu=config.gelu,
        glu=config.glu,
        norm_starts=config.norm_starts,
        norm_groups=config.norm_groups,
        dconv_mode=config.encoder_branches + 2 * config.decoder_branches,
        dconv_depth=config.branch_depth,
        dconv_comp=config.branch_compress,
        dconv_attn=config.branch_attention_starts,
        dconv_lstm=config.branch_lstm_starts,
        normalize=config.normalize,
        resample=config.resample,
    )
    theirs.load_state_dict(dict(ours.state_dict()))
    return theirs.eval()


@variants
def test_the_network_equals_demucs(config):
    require(find_spec("demucs"), "demucs is not installed")
    ours = network_of(config).double()
    theirs = demucs_twin(ours).double()
    for length in LENGTHS:
        if length == 1 and config.normalize:
            continue  # one number has no deviation: demucs answers NaN
        mix = noise(2 * config.audio_channels, length).unflatten(0, (2, -1)).double()
        with torch.inference_mode():
            assert distance(ours(mix), theirs(mix)) <= EXACT, f"at {length} samples"


@pytest.mark.parametrize("name", ["default", "MDX"])
def test_the_network_equals_demucs_in_single_precision(name):
    require(find_spec("demucs"), "demucs is not installed")
    ours = network_of(VARIANTS[name])
    theirs = demucs_twin(ours)
    for length in LENGTHS[1:]:
        mix = noise(2, length)[None]
        with torch.inference_mode():
            assert distance(ours(mix), theirs(mix)) <= TOLERANCE, f"at {length} samples"


@variants
def test_gradients_equal_those_of_demucs(config):
    require(find_spec("demucs"), "demucs is not installed")
    ours = network_of(config)
    theirs = demucs_twin(ours)
    mix = noise(config.audio_channels, 1_500)[None]
    assert gradient_distance(ours, theirs, mix) <= EXACT


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("demucs_v3_time", {}),
        ("demucs_mdx_a_0d19c1c6", {"rewrite": False}),
        (
            "demucs_v2_style",
            {"encoder_branches": False, "gelu": False, "lstm_layers": 2, "norm_starts": 999},
        ),
    ],
)
def test_the_network_equals_the_stored_reference(name, options):
    reference = np.load(shared(f"reference/networks/{name}.npz"))
    card = json.loads(shared("reference/networks/golden.json").read_text())[name]
    ours = TimeDemucs(TimeDemucsConfig(hidden=card["kwargs"]["channels"], **options)).eval()
    ours.load_state_dict(
        {
            key.removeprefix("sd/"): torch.from_numpy(reference[key])
            for key in reference.files
            if key.startswith("sd/")
        }
    )
    with torch.inference_mode():
        estimate = ours(torch.from_numpy(reference["x"]))
    assert distance(estimate, torch.from_numpy(reference["y"])) <= TOLERANCE


def test_a_single_sample_has_an_answer():
    network = network_of(TimeDemucsConfig(**SMALL, **STARTS))
    with torch.inference_mode():
        assert torch.isfinite(network(torch.full((1, 2, 1), 0.5))).all()


@settings(max_examples=50)
@given(
    length=st.integers(1, 100_000),
    depth=st.integers(1, 6),
    stride=st.integers(2, 4),
    extra=st.integers(0, 5),
)
def test_at_a_valid_length_no_convolution_leaves_a_sample_over(length, depth, stride, extra):
    kernel = stride + extra
    config = TimeDemucsConfig(
        hidden=1,
        depth=depth,
        stride=stride,
        kernel_size=kernel,
        norm_starts=9,
        encoder_branches=False,
        resample=False,
        rescale=0,
    )
    valid = TimeDemucs(config).valid_length(length)
    assert valid >= length
    for _ in range(depth):
        assert valid >= kernel
        assert (valid - kernel) % stride == 0
        valid = (valid - kernel) // stride + 1


@pytest.mark.parametrize(
    ("options", "count"), [({}, 133_753_064), ({"rewrite": False}, 88_984_040)]
)
def test_the_networks_have_the_size_of_the_published_ones(options, count):
    with torch.device("meta"):
        network = TimeDemucs(TimeDemucsConfig(**options))
    assert sum(parameter.numel() for parameter in network.parameters()) == count
    assert (network.stride, network.minimum_segment) == (2_048, 6_144)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"depth": 0}, "depth must be at least 1, got 0"),
        ({"kernel_size": 2}, "kernel_size must be at least 4, got 2"),
        ({"branch_compress": 0}, "branch_compress must be above 0, got 0"),
        ({"hidden": 6, "norm_groups": 64}, "norm_groups=64 does not divide"),
    ],
)
def test_a_network_that_cannot_be_is_refused(options, reason):
    with pytest.raises(ConfigError, match=reason):
        TimeDemucsConfig(**options)
