"""streamsep's own files keep everything and refuse what does not fit together."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace

import pytest
import torch
from checkpoint_material import NOTES, SMALL, same_output, small, sound
from safetensors.torch import save_file

from streamsep.errors import CheckpointError, OutputError
from streamsep.models.checkpoints import (
    load_checkpoint,
    read_checkpoint,
    read_header,
    save_checkpoint,
)
from streamsep.models.hybrid_demucs import HybridDemucs


@pytest.fixture(scope="module")
def network():
    return small()


@pytest.mark.parametrize("dtype", ["fp32", "fp16"])
def test_our_format_keeps_weights_configuration_and_notes(network, tmp_path, dtype):
    config = replace(SMALL, sources=("drums", "rest"), audio_channels=1, sample_rate=22_050)
    original = HybridDemucs(config)
    path = tmp_path / "deep" / "network.safetensors"
    save_checkpoint(original, path, dtype=dtype, **NOTES)
    read = read_checkpoint(path)
    loaded = read.network
    if dtype == "fp16":
        original.half().float()
    assert loaded.config == config
    assert not loaded.training
    assert same_output(original.eval(), loaded, sound(channels=1))
    assert (read.file_format, read.licence, read.training) == ("streamsep", "MIT", "none at all")
    assert read.stored_as == {"fp32": "float32", "fp16": "float16"}[dtype]
    header = read_header(path)
    assert header is not None
    assert (header.licence, header.training) == ("MIT", "none at all")
    assert header.sources == ("drums", "rest")
    assert [file.name for file in path.parent.iterdir()] == ["network.safetensors"]


def test_a_loaded_network_can_be_trained_further(network, tmp_path):
    save_checkpoint(network, tmp_path / "n", **NOTES)
    loaded = load_checkpoint(tmp_path / "n").train()
    loaded(sound()).square().mean().backward()
    assert all(weight.grad is not None for weight in loaded.parameters())


def test_replacing_a_file_leaves_loaded_networks_alone(network, tmp_path):
    path = tmp_path / "n.safetensors"
    save_checkpoint(network, path, **NOTES)
    loaded = load_checkpoint(path)
    save_checkpoint(HybridDemucs(SMALL), path, **NOTES)
    path.write_bytes(b"")
    assert same_output(network, loaded)


def test_saving_refuses_weights_that_are_not_finite_in_the_file(tmp_path):
    broken = HybridDemucs(SMALL)
    broken.freq_encoder[0].conv.weight.data[0] = 1e6
    save_checkpoint(broken, tmp_path / "fine", **NOTES)
    with pytest.raises(CheckpointError, match=r"freq_encoder.0.conv.weight is not finite as fp16"):
        save_checkpoint(broken, tmp_path / "half", dtype="fp16", **NOTES)
    assert not (tmp_path / "half").exists()


def test_saving_where_nothing_can_be_written_is_an_output_error(network, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot write"):
        save_checkpoint(network, tmp_path / "file" / "n.safetensors", **NOTES)


def rewritten_header(network, folder, change):
    """A file of our format whose header has been tampered with."""
    path = folder / "n.safetensors"
    save_checkpoint(network, path, **NOTES)
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    outer = json.loads(raw[8 : 8 + length])
    inner = json.loads(outer["__metadata__"]["streamsep"])
    change(inner)
    outer["__metadata__"]["streamsep"] = json.dumps(inner)
    head = json.dumps(outer).encode()
    path.write_bytes(len(head).to_bytes(8, "little") + head + raw[8 + length :])
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: h.update(format=2), "this streamsep reads up to 1; upgrade"),
        (lambda h: h.update(architecture="spleeter"), "'spleeter', expected 'hybrid_demucs'"),
        (lambda h: h.pop("licence"), "header is damaged"),
        (lambda h: h.update(config=[]), r"missing|damaged|tensors|shape"),
        (lambda h: h["config"].update(turbo=True), "unknown option 'turbo'"),
        (lambda h: h["config"].update(hidden=8), r"freq_encoder.0.conv.weight has shape \(4, "),
        (lambda h: h["config"].update(hidden=10**9), "hidden is 1000000000, expected 1 to"),
        (lambda h: h["config"].update(hidden="many"), "hidden is 'many'"),
        (lambda h: h["config"].update(depth=10**6), "depth is 1000000, expected 1 to"),
        (lambda h: h["config"].update(hidden=1024, growth=4), "more weights than the file can"),
        (lambda h: h["config"].update(stride=1), "stride is 1, expected 2 to"),
        (lambda h: h["config"].update(sources=["x"]), "contradicts"),
        (lambda h: h["config"].update(sources=["../../x"]), r"called '../../x', expected a name"),
        (lambda h: h["config"].update(sources=[""]), "called '', expected a name"),
        (lambda h: h["config"].update(sources=["x"] * 4), "expected every name once"),
        (lambda h: h["config"].update(sources=[str(n) for n in range(99)]), "at most 32 names"),
        (lambda h: h["config"].update(n_fft=1000), "the branches cannot meet"),
        (lambda h: h["config"].update(norm_groups=7), "no network has this configuration"),
        (lambda h: h.update(sample_rate=8000), "contradicts"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(network, tmp_path, change, message):
    path = rewritten_header(network, tmp_path, change)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_checkpoint(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_header_that_is_read_alone_is_refused_with_the_name_of_its_file(network, tmp_path):
    path = rewritten_header(network, tmp_path, lambda header: header.update(format=99))
    with pytest.raises(CheckpointError, match="this streamsep reads up to 1; upgrade") as caught:
        read_header(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are text here")
def test_a_path_that_safetensors_cannot_open_is_no_fault_of_the_file(network, tmp_path):
    whole = rewritten_header(network, tmp_path, lambda header: None)
    path = whole.rename(tmp_path / os.fsdecode(b"n\xe9t.safetensors"))
    with pytest.raises(CheckpointError, match=r"its path is not UTF-8.* rename") as caught:
        load_checkpoint(path)
    assert "fetch it again" not in str(caught.value)


def test_missing_superfluous_and_infinite_tensors_are_refused(network, tmp_path):
    path = tmp_path / "n.safetensors"
    save_checkpoint(network, path, **NOTES)
    raw = path.read_bytes()
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])["__metadata__"]
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    name = "time_decoder.1.conv_tr.bias"

    save_file({k: v for k, v in weights.items() if k != name}, path, header)
    with pytest.raises(CheckpointError, match=f"1 of .* tensors are missing, the first is {name}"):
        load_checkpoint(path)
    save_file({**weights, "more": torch.ones(1)}, path, header)
    with pytest.raises(CheckpointError, match="1 tensors too many, the first is 'more'"):
        load_checkpoint(path)
    weights[name][0] = torch.nan
    save_file(weights, path, header)
    with pytest.raises(CheckpointError, match=f"{name} holds NaN or infinity"):
        load_checkpoint(path)
    weights[name] = torch.zeros_like(weights[name], dtype=torch.int64)
    save_file(weights, path, header)
    with pytest.raises(CheckpointError, match=r"holds torch.int64, expected floating point"):
        load_checkpoint(path)
