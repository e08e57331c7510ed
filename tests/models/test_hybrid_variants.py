"""Every option of Hybrid Demucs does what it does in demucs."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch
from hybrid_variants import OFFICIAL, VARIANTS, pair, precise_pair
from networks import STEMS, ours_from_demucs, unsettle
from parity import TOLERANCE, distance
from streams import noise
from support import require
from torch import Tensor

from streamsep.engine import Separator
from streamsep.errors import ConfigError
from streamsep.models.checkpoints import load_checkpoint, save_checkpoint
from streamsep.models.hybrid_demucs import HybridDemucs, HybridDemucsConfig

variants = pytest.mark.parametrize("name", VARIANTS)


def mixture(network: HybridDemucs, length: int, batch: int = 2) -> Tensor:
    return noise(batch * network.channels, length).view(batch, network.channels, length)


@variants
def test_the_network_equals_demucs(name):
    ours, theirs = pair(name)
    ours_precise, theirs_precise = (network.eval() for network in precise_pair(name))
    mix, short = mixture(ours, 5_121), mixture(ours, 700)
    with torch.inference_mode():
        truth = theirs_precise(mix.double())
        assert distance(ours_precise(mix.double()), truth) <= TOLERANCE
        assert distance(ours_precise(short.double()), theirs_precise(short.double())) <= TOLERANCE
        # Some variants lose more than the tolerance to the rounding of single precision alone;
        # no network can be closer to another than that.
        single = theirs(mix)
        assert distance(ours(mix), single) <= TOLERANCE + distance(single.double(), truth)


@variants
def test_gradients_equal_those_of_demucs(name):
    ours, theirs = (network.train() for network in precise_pair(name))
    mix = mixture(ours, 3_000, batch=1).double()
    estimate, reference = ours(mix), theirs(mix)
    assert distance(estimate.detach(), reference.detach()) <= TOLERANCE
    weights = noise(1, estimate.numel()).view_as(estimate)
    (estimate * weights).sum().backward()
    (reference * weights).sum().backward()
    found = {key: weight.grad for key, weight in ours.named_parameters()}
    expected = ours_from_demucs({key: weight.grad for key, weight in theirs.named_parameters()})
    assert found.keys() == expected.keys()
    largest = max(float(gradient.abs().max()) for gradient in expected.values())
    for key, gradient in expected.items():
        # A bias before a norm of its own has none but by rounding: hence the second term.
        allowed = 1e-5 * float(gradient.abs().max()) + 1e-8 * largest
        assert float((found[key] - gradient).abs().max()) <= allowed, key


@variants
def test_every_length_has_an_answer(name):
    network, _ = pair(name)
    assert isinstance(network, Separator)
    for length in (1, 2, network.stride, network.minimum_segment - 1):
        mix = mixture(network, length)
        mix[1] = 0.0
        with torch.inference_mode():
            estimate = network(mix)
        assert estimate.shape == (2, 4, network.channels, length)
        assert torch.isfinite(estimate).all()


@pytest.mark.parametrize(
    "name",
    [
        "bands with context",
        "branches on both sides",
        "fewer rounds in training",
        "no embedding",
        "old padding",
        "slow growth",
        "wide time branch",
    ],
)
def test_our_format_keeps_the_variant(name, tmp_path):
    network, _ = pair(name)
    save_checkpoint(network, tmp_path / "network", licence="MIT", training="none")
    loaded = load_checkpoint(tmp_path / "network")
    assert loaded.config == network.config
    mix = mixture(network, 500)
    with torch.inference_mode():
        assert torch.equal(loaded(mix), network(mix))


@pytest.mark.parametrize("name", OFFICIAL)
@pytest.mark.parametrize("legacy", [False, True])
def test_packages_of_the_official_networks_load_and_sound_the_same(name, legacy, tmp_path):
    require(find_spec("demucs"), "demucs is not installed")
    from demucs.hdemucs import HDemucs

    options = {"sources": STEMS, "channels": 4, "segment": 44, **OFFICIAL[name]}
    torch.manual_seed(1)
    theirs = HDemucs(**options).eval()
    unsettle(theirs)
    state = {key: weight.half() for key, weight in theirs.state_dict().items()}
    theirs.load_state_dict({key: weight.float() for key, weight in state.items()})
    package = {"klass": HDemucs, "args": (), "kwargs": options, "state": state}
    path = tmp_path / f"{name}.th"
    torch.save(package, path, _use_new_zipfile_serialization=not legacy)

    ours = load_checkpoint(path)
    mix = mixture(ours, 20_000, batch=1)
    with torch.inference_mode():
        assert distance(ours(mix), theirs(mix)) <= TOLERANCE
    assert ours.stride == 2_048


def test_the_number_of_rounds_may_differ_in_training_without_a_time_branch():
    network, _ = pair("fewer rounds in training")
    mix = mixture(network, 4_000)
    with torch.inference_mode():
        evaluated = network.eval()(mix)
        trained = network.train()(mix)
        network.eval()
    assert not torch.equal(evaluated, trained)


@pytest.mark.parametrize("name", ["the paper's", "Wiener filter", "mask", "bands"])
def test_half_precision_gives_nearly_the_same(name):
    network, _ = pair(name)
    mix = mixture(network, 9_000)
    with torch.inference_mode():
        whole = network(mix)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half = network(mix)
    assert half.dtype == torch.float32
    error = (half - whole).square().mean().sqrt() / whole.square().mean().sqrt()
    assert float(error) < 0.1


def test_a_deeper_time_branch_of_other_width_meets_at_the_wider_one():
    narrow = HybridDemucsConfig(hidden=8, time_hidden=4)
    wide = HybridDemucsConfig(hidden=4, time_hidden=8)
    assert narrow.widths[:5] == ((8, 4), (16, 8), (32, 16), (64, 32), (128, 128))
    assert wide.widths[:5] == ((4, 8), (8, 16), (16, 32), (32, 64), (128, 128))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"old_padding": True, "hybrid": False}, "old_padding is about the time branch"),
        ({"wiener_iterations": 1}, "wiener_iterations=1 and training_wiener_iterations=0"),
        ({"kernel_size": 7}, "kernel_size=7 does not go with stride=4"),
        ({"stride": 3}, "kernel_size=8 does not go with stride=3"),
        ({"stride": 1}, "stride must be at least 2, got 1"),
        ({"time_stride": 3}, "time_stride is 3, expected an even number"),
        ({"n_fft": 1_004}, "n_fft is 1004, expected a multiple of 8"),
        ({"n_fft": 2_048}, "the branches cannot meet"),
        ({"depth": 4}, "the branches cannot meet"),
        ({"n_fft": 1_000, "hybrid": False}, "500 frequency bins cannot be divided by stride=4"),
        ({"band_edges": (0.5, 0.5)}, "expected growing shares between 0 and 1"),
        ({"band_edges": (0.0,)}, "expected growing shares between 0 and 1"),
        ({"band_edges": (0.5,), "norm_starts": 1}, "bands need layers"),
        ({"band_edges": (0.5,), "norm_starts": 9, "band_layers": 5}, "bands need layers"),
        ({"band_edges": (0.5, 0.5001)}, "a band of frequencies would be empty"),
        ({"branch_attention_starts": 0}, "attention over 1 channels, which its 4 heads"),
        ({"branch_compress": 100.0}, "squeeze 4 channels by 100 have none left"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options, message):
    with pytest.raises(ConfigError, match=message) as caught:
        HybridDemucs(HybridDemucsConfig(**{"hidden": 4, **options}))
    assert "\n" not in str(caught.value)
