"""Open-Unmix computes what the package openunmix computes, and loads its weights."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from parity import TOLERANCE, distance, gradient_distance
from streams import noise
from support import require
from tiny_networks import shaken

from streamsep.errors import ConfigError
from streamsep.models.open_unmix import OpenUnmix, OpenUnmixConfig, weights_from_openunmix

VARIANTS = {
    "default": OpenUnmixConfig(hidden=16),
    "no filter": OpenUnmixConfig(hidden=16, n_fft=512, hop=128, wiener_iterations=0),
    "residual": OpenUnmixConfig(
        hidden=16, n_fft=512, hop=256, wiener_iterations=2, wiener_residual=True
    ),
    "mono": OpenUnmixConfig(hidden=8, n_fft=512, hop=128, audio_channels=1, bandwidth=5_000),
    "causal": OpenUnmixConfig(hidden=8, n_fft=512, hop=128, bidirectional=False, lstm_layers=1),
    "speech": OpenUnmixConfig(
        sources=("speech", "noise"),
        audio_channels=1,
        sample_rate=16_000,
        n_fft=1_024,
        hop=512,
        hidden=8,
    ),
}
variants = pytest.mark.parametrize("config", VARIANTS.values(), ids=VARIANTS.keys())


def network_of(config: OpenUnmixConfig) -> OpenUnmix:
    torch.manual_seed(0)
    return shaken(OpenUnmix(config))


def openunmix_twin(ours: OpenUnmix) -> torch.nn.Module:
    """openunmix' network with the weights of ours."""
    from openunmix.model import OpenUnmix as StemModel
    from openunmix.model import Separator

    config = ours.config
    models = {
        name: StemModel(
            nb_bins=config.n_fft // 2 + 1,
            nb_channels=config.audio_channels,
            hidden_size=config.hidden,
            nb_layers=config.lstm_layers,
            unidirectional=not config.bidirectional,
            max_bin=config.bins_seen,
        )
        for name in config.sources
    }
    theirs = Separator(
        models,
        niter=config.wiener_iterations,
        residual=config.wiener_residual,
        sample_rate=config.sample_rate,
        n_fft=config.n_fft,
        n_hop=config.hop,
        nb_channels=config.audio_channels,
    )
    result = theirs.load_state_dict(ours.state_dict(), strict=False)
    assert not result.unexpected_keys
    beside = ("window", "sample_rate", "num_batches_tracked")
    assert all(name.endswith(beside) for name in result.missing_keys)
    return theirs.eval()


@variants
def test_the_network_equals_openunmix(config):
    require(find_spec("openunmix"), "openunmix is not installed")
    ours = network_of(config)
    theirs = openunmix_twin(ours)
    # openunmix can reflect no more than it has, and inverts covariances in single precision, which
    # those of two or three frames do not survive.
    for length in (2 * config.n_fft, 20_001):
        mix = noise(2 * config.audio_channels, length).unflatten(0, (2, -1))
        with torch.inference_mode():
            stems, expected = ours(mix), theirs(mix)[:, : len(config.sources)]
        assert distance(stems, expected) <= TOLERANCE, f"at {length} samples"


@variants
def test_gradients_equal_those_of_openunmix(config):
    require(find_spec("openunmix"), "openunmix is not installed")
    ours = network_of(config)
    theirs = openunmix_twin(ours)
    theirs.niter, theirs.residual = 0, False
    # Training takes the mixture's phase, for which openunmix has no mode; ours must not draw the
    # LSTM's dropout or move the norms' statistics here.
    ours.training = True
    mix = noise(config.audio_channels, 3_000)[None]
    # openunmix' window and its π stay in single precision.
    assert gradient_distance(ours, theirs, mix) <= TOLERANCE


def test_training_moves_the_statistics_as_openunmix_does():
    require(find_spec("openunmix"), "openunmix is not installed")
    ours = network_of(VARIANTS["causal"])
    theirs = openunmix_twin(ours)
    ours.train()
    theirs.train()
    magnitudes = noise(2 * 257 * 9, 1).abs().reshape(1, 2, 257, 9)
    with torch.no_grad():
        estimates = ours.magnitudes(magnitudes)
        for index, model in enumerate(theirs.target_models.values()):
            assert distance(estimates[:, index], model(magnitudes)) <= TOLERANCE
    moved = theirs.state_dict()
    for name, value in ours.state_dict().items():
        if "running" in name:
            assert distance(value, moved[name]) <= TOLERANCE, name


@variants
def test_weights_of_openunmix_load(config):
    require(find_spec("openunmix"), "openunmix is not installed")
    ours = network_of(config)
    weights = openunmix_twin(ours).state_dict()
    other = OpenUnmix(config)
    other.load_state_dict(weights_from_openunmix(weights))
    for name, value in ours.state_dict().items():
        assert torch.equal(other.state_dict()[name], value), name


def test_everything_saved_is_a_floating_point_number():
    """Averages and half precision can hold nothing else."""
    for name, value in network_of(VARIANTS["mono"]).state_dict().items():
        assert value.is_floating_point(), name


def test_training_neither_needs_nor_runs_the_filter():
    config = OpenUnmixConfig(hidden=8, n_fft=512, hop=128, lstm_layers=1, wiener_iterations=3)
    network = network_of(config)
    mix = noise(2, 4_000)[None]
    with torch.inference_mode():
        filtered = network(mix)
        network.training = True  # the flag of the network alone, as above
        assert distance(network(mix), filtered) > 0.01


@settings(max_examples=50)
@given(
    rate=st.integers(8_000, 96_000),
    half=st.integers(8, 2_048),
    bandwidth=st.floats(0, 50_000),
)
def test_the_networks_look_at_all_bins_up_to_the_bandwidth(rate, half, bandwidth):
    config = OpenUnmixConfig(sample_rate=rate, n_fft=2 * half, hop=half, bandwidth=bandwidth)
    frequencies = torch.arange(half + 1, dtype=torch.float64) * (rate / (2 * half))
    clear = (frequencies - bandwidth).abs() > 1e-6  # one on the edge may fall on either side
    seen = torch.arange(half + 1) < config.bins_seen
    assert torch.equal(seen[clear], (frequencies <= bandwidth)[clear])


def test_the_default_network_is_umx():
    with torch.device("meta"):
        network = OpenUnmix()
    assert sum(parameter.numel() for parameter in network.parameters()) == 4 * 8_893_348
    assert (network.config.bins, network.config.bins_seen) == (2_049, 1_487)
    assert (network.stride, network.minimum_segment) == (1_024, 4_096)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"n_fft": 511}, "must be even, got 511 and 512"),
        ({"hop": 4_096}, "hop must be at most half of n_fft=4096"),
        ({"wiener_iterations": -1}, "wiener_iterations must be at least 0, got -1"),
    ],
)
def test_a_network_that_cannot_be_is_refused(options, reason):
    with pytest.raises(ConfigError, match=reason):
        OpenUnmixConfig(**options)
