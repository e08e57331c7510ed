"""Networks are made by name, and files of weights hold any of them."""

from __future__ import annotations

import pytest
import torch
from streams import noise
from tiny_networks import TINY, tiny_network

from streamsep.errors import CheckpointError, ConfigError
from streamsep.models.architectures import ARCHITECTURES, architecture_of, build_network
from streamsep.models.checkpoints import load_checkpoint, read_header, save_checkpoint


@pytest.mark.parametrize("name", TINY)
def test_a_file_of_weights_holds_any_network(name, tmp_path):
    network = tiny_network(name)
    path = tmp_path / "network.safetensors"
    save_checkpoint(network, path, licence="CC0", training="none")
    header = read_header(path)
    assert header is not None
    assert header.architecture == architecture_of(network).name
    loaded = load_checkpoint(path)
    assert type(loaded) is type(network)
    assert loaded.config == network.config
    mix = noise(network.channels, 8 * network.stride)[None]
    with torch.inference_mode():
        assert torch.equal(loaded(mix), network.eval()(mix))


def test_a_file_of_an_unknown_network_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "network.safetensors"
    save_checkpoint(tiny_network("demucs_v1"), path, licence="CC0", training="none")
    monkeypatch.delitem(ARCHITECTURES, "demucs_v1")
    with pytest.raises(CheckpointError, match="architecture 'demucs_v1', expected 'hybrid_demucs'"):
        load_checkpoint(path)


def test_options_are_taken_as_yaml_holds_them():
    network = build_network("hybrid_demucs", {"hidden": 4, "sources": ["a", "b"], "layer_scale": 1})
    assert network.sources == ("a", "b")
    assert architecture_of(network).name == "hybrid_demucs"


@pytest.mark.parametrize(
    ("name", "options", "complaint"),
    [
        ("hybrid_demcs", {}, "unknown architecture 'hybrid_demcs', did you mean 'hybrid_demucs'"),
        ("hybrid_demucs", {"hiden": 4}, "unknown option 'hiden'.*did you mean 'hidden'"),
        ("hybrid_demucs", {"hidden": "4"}, "option 'hidden'.*got '4', expected a valid integer"),
        ("hybrid_demucs", {"hidden": 4.5}, "option 'hidden'.*got 4.5, expected a valid integer"),
        ("hybrid_demucs", {"sources": "drums"}, "option 'sources'.*expected a valid array"),
        ("hybrid_demucs", {"hidden": 0}, "hidden"),
        ("hybrid_demucs", {"hidden": 4, "norm_groups": 7}, "no hybrid_demucs has these options"),
    ],
)
def test_what_cannot_be_built_is_explained_in_one_line(name, options, complaint):
    with pytest.raises(ConfigError, match=complaint) as caught:
        build_network(name, options)
    assert "\n" not in str(caught.value)


NOT_LOADABLE = {
    "nothing": (),
    "a hash": ("#1 synth",),
    "a path": ("a/b", "rest"),
    "a control character": ("voi\nce",),
    "too long": ("x" * 61,),
    "too many": tuple(f"stem {number}" for number in range(33)),
    "one twice": ("voice", "rest", "voice"),
}


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("sources", NOT_LOADABLE.values(), ids=NOT_LOADABLE)
def test_no_network_is_made_whose_file_could_not_be_loaded_for_its_stems(name, sources):
    with pytest.raises(ConfigError, match="source") as caught:
        build_network(name, {"sources": list(sources)})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", TINY)
def test_stems_may_be_called_as_what_modules_have(name, tmp_path):
    sources = ("keys", "type", "values", "e.guitar", "training", "_modules", "2nd voice")
    network = tiny_network(name, sources=sources)
    path = tmp_path / "network.safetensors"
    save_checkpoint(network, path, licence="CC0", training="none")
    loaded = load_checkpoint(path)
    assert loaded.sources == sources
    mix = noise(network.channels, 8 * network.stride)[None]
    with torch.inference_mode():
        assert torch.equal(loaded(mix), network.eval()(mix))


def test_a_bag_is_no_network():
    with pytest.raises(ConfigError, match="a list is no single network"):
        architecture_of([])
