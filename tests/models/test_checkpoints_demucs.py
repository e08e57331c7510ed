"""demucs' packages of all its releases become networks that sound the same."""

from __future__ import annotations

import gzip
import json
from fractions import Fraction
from importlib.util import find_spec

import pytest
import torch
from checkpoint_material import STEMS, demucs_package, old_class, same_output, small, sound
from networks import demucs_from_ours
from parity import TOLERANCE, distance
from safetensors.torch import save_file
from support import require
from tiny_networks import tiny_network

from streamsep.errors import CheckpointError
from streamsep.models.checkpoints import load_checkpoint, read_checkpoint
from streamsep.models.hybrid_demucs import HybridDemucsConfig

CLASSES = {
    "hybrid": ("demucs.hdemucs", "HDemucs", {"channels": 4}),
    "hybrid mono": ("demucs.hdemucs", "HDemucs", {"channels": 4, "audio_channels": 1}),
    "bands": (
        "demucs.hdemucs",
        "HDemucs",
        {"channels": 4, "multi_freqs": [0.1, 0.3], "multi_freqs_depth": 2, "norm_starts": 999},
    ),
    "magnitudes": ("demucs.hdemucs", "HDemucs", {"channels": 4, "cac": False, "hybrid_old": True}),
    # What stands in 0d19c1c6 and 7ecf8ec1, but for the channels.
    "time, MDX": (
        "demucs.demucs",
        "Demucs",
        {"channels": 8, "rewrite": False, "normalize": True, "dconv_init": 1e-3, "segment": 40},
    ),
    # What stands in 9a6b4851 and 1ef250f1: the class's own defaults.
    "time": ("demucs.demucs", "Demucs", {"channels": 8}),
    "time as v2": (
        "demucs.demucs",
        "Demucs",
        {"channels": 4, "dconv_mode": 0, "gelu": False, "lstm_layers": 2, "normalize": False},
    ),
}


def demucs_class(module, name):
    require(find_spec("demucs"), "demucs is not installed")
    return getattr(__import__(module, fromlist=[name]), name)


LAYOUTS = ["legacy", "positional", "gzip", "safetensors"]


@pytest.mark.parametrize(
    ("variant", "layout"),
    [
        *((variant, "zip") for variant in CLASSES),
        *(("hybrid mono", layout) for layout in LAYOUTS),
        *(("time, MDX", layout) for layout in LAYOUTS),
    ],
)
def test_packages_load_and_sound_the_same(tmp_path, variant, layout):
    module, name, options = CLASSES[variant]
    klass = demucs_class(module, name)
    if layout == "positional":
        theirs, package = demucs_package(
            klass,
            STEMS,
            options.get("audio_channels", 2),
            **{key: value for key, value in options.items() if key != "audio_channels"},
        )
    else:
        theirs, package = demucs_package(klass, sources=STEMS, **options)
    path = tmp_path / "package.th"
    if layout == "safetensors":
        described = {"klass": f"{module}.{name}", "args": "[]"}
        save_file(package["state"], path, {**described, "kwargs": json.dumps(package["kwargs"])})
    else:
        torch.save(package, path, _use_new_zipfile_serialization=layout != "legacy")
    if layout == "gzip":
        path.write_bytes(gzip.compress(path.read_bytes(), 1))
    read = read_checkpoint(path)
    assert (read.file_format, read.stored_as, read.licence) == ("demucs package", "float16", None)
    assert read.network.sources == tuple(STEMS)
    mix = sound(read.network.channels, 5_000)
    with torch.inference_mode():
        assert distance(read.network(mix), theirs(mix)) <= TOLERANCE


def test_a_network_of_every_kind_of_layer_sounds_the_same(tmp_path):
    from demucs.demucs import Demucs

    torch.manual_seed(4)
    theirs, package = demucs_package(
        Demucs, sources=["voice", "rest"], channels=8, depth=4, dconv_mode=3, norm_starts=2,
        dconv_lstm=2, dconv_attn=1, lstm_layers=1, growth=2, context=0, glu=False, rescale=None,
    )  # fmt: skip
    torch.save(package, tmp_path / "p.th")
    with torch.inference_mode():
        found = load_checkpoint(tmp_path / "p.th")(sound())
        assert distance(found, theirs(sound())) <= TOLERANCE


def test_options_that_say_nothing_about_the_network_are_accepted(tmp_path):
    # These stand in the published hdemucs_mmi.
    _, package = demucs_package(
        demucs_class("demucs.hdemucs", "HDemucs"),
        sources=STEMS,
        channels=4,
        multi_freqs=[],
        multi_freqs_depth=3,
        dconv_init=1e-3,
        samplerate=44_100,
        segment=44,
    )
    torch.save(package, tmp_path / "package.th")
    config = load_checkpoint(tmp_path / "package.th").config
    assert config == HybridDemucsConfig(hidden=4, layer_scale=1e-3, band_layers=3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hybrid": False, "hybrid_old": True}, "old_padding is about the time branch"),
        ({"cac": False, "wiener_iters": 1}, "training_wiener_iterations=0: with a time branch"),
        ({"wiener_iters": 10**9, "end_iters": 10**9}, "wiener_iterations is 1000000000, expected"),
        ({"multi_freqs": [0.1, 0.3]}, "tensors are missing, the first is freq_encoder.0.layers.0"),
        ({"multi_freqs": [n / 1000 for n in range(1, 999)]}, "more than 32 band_edges"),
        ({"multi_freqs": [0.3, 0.1]}, "expected growing shares between 0 and 1"),
        ({"multi_freqs": [0.1], "multi_freqs_depth": 6}, "bands need layers"),
        ({"dconv_mode": 4}, "dconv_mode is 4, expected 0 to 3"),
        ({"dconv_mode": []}, r"dconv_mode is \[\], expected 0 to 3"),
        ({"rewrite": False}, "36 tensors too many, the first is 'freq_decoder.0.norm1.bias'"),
        ({"channels_time": 8}, "freq_encoder.3.conv.weight has shape"),
        ({"cac": False}, "freq_encoder.0.conv.weight has shape"),
        ({"kernel_size": 7}, "kernel_size=7 does not go with stride=4"),
        ({"sources": "drums"}, "sources are 'drums', expected at most 32 names"),
    ],
)
def test_options_that_do_not_fit_each_other_or_the_weights_are_named(tmp_path, options, message):
    kwargs = {"sources": STEMS, "channels": 4, "nfft": 1024, "depth": 5, **options}
    metadata = {"klass": "demucs.hdemucs.HDemucs", "args": "[]", "kwargs": json.dumps(kwargs)}
    weights = demucs_from_ours(small().state_dict())
    save_file(weights, tmp_path / "network.safetensors", metadata)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(tmp_path / "network.safetensors")


def test_classes_that_are_no_networks_are_refused_by_name(tmp_path):
    path = tmp_path / "n.safetensors"
    metadata = {"args": "[]", "kwargs": "{}"}
    save_file({"a": torch.ones(1)}, path, {**metadata, "klass": "os.system"})
    with pytest.raises(CheckpointError, match=r"holds a os.system; of demucs' networks streamsep"):
        load_checkpoint(path)


def test_networks_of_demucs_that_we_lack_are_refused_by_name(tmp_path, monkeypatch):
    package = {
        "klass": old_class(monkeypatch, "demucs.to_come.XDemucs"),
        "args": (),
        "kwargs": {"sources": STEMS, "segment": Fraction(39, 5)},
        "state": {"a": torch.ones(1).half()},
    }
    torch.save(package, tmp_path / "955717e8.th")
    with pytest.raises(CheckpointError, match=r"a demucs.to_come.XDemucs; .* demucs.hdemucs.HDem"):
        load_checkpoint(tmp_path / "955717e8.th")


# v1 and v2


def theirs_of(network):
    """The arguments of a network's class in demucs v1 and v2, but for the stems."""
    config = network.config
    names = {"audio_channels": "audio_channels"}
    if network.__class__.__name__ == "ConvTasNet":
        names |= {"N": "filters", "L": "filter_length", "B": "bottleneck", "H": "hidden"}
        names |= {"P": "kernel_size", "X": "blocks", "R": "repeats"}
        return {theirs: getattr(config, ours) for theirs, ours in names.items()}
    names |= {"channels": "hidden", "depth": "depth", "growth": "growth"}
    arguments = {theirs: getattr(config, ours) for theirs, ours in names.items()}
    return {**arguments, "context": 2 * config.context + 1}


@pytest.mark.parametrize("layout", ["legacy", "gzip"])
@pytest.mark.parametrize(
    ("kind", "klass", "more"),
    [
        ("demucs_v1", "demucs.model.Demucs", {}),
        ("demucs_v1 upsampling", "demucs.model.Demucs", {"upsample": True}),
        ("conv_tasnet", "demucs.tasnet.ConvTasNet", {}),
    ],
)
def test_packages_of_v1_load(tmp_path, monkeypatch, kind, klass, more, layout):
    network = tiny_network(kind)
    arguments = {**theirs_of(network), **more}
    package = (old_class(monkeypatch, klass), (), arguments, network.state_dict())
    path = tmp_path / "light.th"
    torch.save(package, path, _use_new_zipfile_serialization=False)
    if layout == "gzip":
        path.write_bytes(gzip.compress(path.read_bytes(), 5))
    loaded = load_checkpoint(path)
    assert loaded.config == network.config
    assert loaded.sources == tuple(STEMS)
    assert same_output(network, loaded)


def test_positional_arguments_of_v1_have_its_order(tmp_path, monkeypatch):
    network = tiny_network("demucs_v1")
    klass = old_class(monkeypatch, "demucs.model.Demucs")
    torch.save((klass, (4, 2, 4, 3), {}, network.state_dict()), tmp_path / "d.th")
    assert same_output(network, load_checkpoint(tmp_path / "d.th"))


@pytest.mark.parametrize(
    ("kind", "klass"),
    [("demucs_v2", "demucs.model.Demucs"), ("conv_tasnet", "demucs.tasnet.ConvTasNet")],
)
def test_packages_of_v2_load(tmp_path, monkeypatch, kind, klass):
    network = tiny_network(kind, sources=["voice", "rest"])
    package = {
        "klass": old_class(monkeypatch, klass),
        "args": (["voice", "rest"],),
        "kwargs": {**theirs_of(network), "samplerate": 44_100, "segment_length": 441_000},
        "state": network.state_dict(),
        "training_args": {},
    }
    torch.save(package, tmp_path / "p.th")
    loaded = load_checkpoint(tmp_path / "p.th")
    assert loaded.sources == ("voice", "rest")
    assert same_output(network, loaded)


@pytest.mark.parametrize("kind", ["demucs_v2", "conv_tasnet"])
def test_bare_weights_of_v2_tell_their_network(tmp_path, kind):
    network = tiny_network(kind)
    torch.save(network.state_dict(), tmp_path / "demucs-e07c671f.th")
    loaded = load_checkpoint(tmp_path / "demucs-e07c671f.th")
    assert loaded.config == network.config
    assert same_output(network, loaded)


def test_weights_of_v2_are_where_its_code_had_them():
    # As listed by `Demucs(sources=..., channels=4).state_dict()` of v2.
    names = list(tiny_network("demucs_v2", depth=1).state_dict())
    direction = ["", "_reverse"]
    lstm = [
        f"lstm.lstm.{kind}_l{layer}{end}"
        for layer in (0, 1)
        for end in direction
        for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    ]
    assert names == [
        *(f"encoder.0.{index}.{kind}" for index in (0, 2) for kind in ("weight", "bias")),
        *(f"decoder.0.{index}.{kind}" for index in (0, 2) for kind in ("weight", "bias")),
        *lstm,
        "lstm.linear.weight",
        "lstm.linear.bias",
    ]


@pytest.mark.parametrize(
    ("klass", "arguments", "message"),
    [
        ("demucs.model.Demucs", {"sources": STEMS, "normalize": True}, "normalize is True, expect"),
        ("demucs.model.Demucs", {"sources": 5}, "5 stems whose names the file does not hold"),
        ("demucs.model.Demucs", {"context": 2}, "context is 2, expected an odd number"),
        ("demucs.tasnet.ConvTasNet", {"causal": True}, "causal is True, expected False"),
        ("demucs.tasnet.ConvTasNet", {"norm_type": "BN"}, "norm_type is 'BN', expected 'gLN'"),
        ("demucs.model.Demucs", {"channels": 10**9}, "hidden is 1000000000, expected 1 to"),
    ],
)
def test_what_we_cannot_build_of_old_releases_is_named(
    tmp_path, monkeypatch, klass, arguments, message
):
    package = (old_class(monkeypatch, klass), (), arguments, {})
    torch.save(package, tmp_path / "p.th")
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(tmp_path / "p.th")
