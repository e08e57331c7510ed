"""Weights that diffq has quantised are restored to what diffq restores.

The files in `data/quantised` were written by diffq 0.2.4 and demucs 4.1.0 from small random
networks; `expected.safetensors` holds what demucs' networks, restored by diffq, make of its `mix`.
"""

from __future__ import annotations

import copy
import io
import zlib

import pytest
import torch
from checkpoint_material import STEMS, old_class
from parity import TOLERANCE, distance
from safetensors.torch import load_file
from support import REPOSITORY
from tiny_networks import tiny_network

from streamsep.errors import CheckpointError
from streamsep.models.checkpoints import load_checkpoint, read_checkpoint

DATA = REPOSITORY / "tests" / "data" / "quantised"


@pytest.mark.parametrize(
    "name",
    [
        "hybrid_learnt.th",
        "hybrid_uniform.safetensors",
        "time_learnt.th",
        "time_uniform.safetensors",
    ],
)
def test_quantised_packages_sound_as_diffq_restores_them(name):
    read = read_checkpoint(DATA / name)
    assert (read.file_format, read.stored_as) == ("demucs package", "levels of DiffQ")
    expected = load_file(DATA / "expected.safetensors")
    with torch.inference_mode():
        stems = read.network(expected["mix"])
    assert distance(stems, expected[name.partition(".")[0]]) <= TOLERANCE


def quantised(network, threshold=500, group=8, bits=7):
    """What diffq of demucs v2 wrote: levels that are not packed, and no word about how.

    Args:
        network: whose weights; they are rounded to the levels.
        threshold: tensors of more numbers are quantised.
        group: weights that share their bits.
        bits: most bits.
    """
    entries, others = [], []
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.numel() <= threshold:
                others.append(parameter.clone())
                continue
            rows = parameter.reshape(-1, group)
            counts = (torch.arange(len(rows)) % (bits - 1) + 2).to(torch.uint8)[:, None]
            low, high = float(parameter.min()), float(parameter.max())
            step = 1 / (2 ** counts.float() - 1)
            levels = ((rows - low) / (high - low) / step).round()
            entries.append((levels.to(torch.uint8), (low, high), counts))
            parameter.copy_((levels * step * (high - low) + low).reshape(parameter.shape))
    return {"quantized": entries, "float16": [], "others": others}


def compressed(state):
    file = io.BytesIO()
    torch.save(state, file)
    return {"compressed": zlib.compress(file.getvalue())}


def v2_package(monkeypatch, state, **options):
    return {
        "klass": old_class(monkeypatch, "demucs.model.Demucs"),
        "args": (STEMS,),
        "kwargs": {"channels": 4, "depth": 3, **options},
        "state": state,
        "training_args": {"diffq": 1e-4},
    }


def test_what_v2_compressed_is_restored(tmp_path, monkeypatch):
    network = tiny_network("demucs_v2")
    package = v2_package(monkeypatch, compressed(quantised(network)))
    torch.save(package, tmp_path / "p.th")
    loaded = load_checkpoint(tmp_path / "p.th")
    for name, weight in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], weight), name


def replaced(state, key, index, value):
    values = list(state[key])
    values[index] = value
    return {**state, key: values}


def copies(values):
    """The values, and as many more like them."""
    return [*values, *copy.deepcopy(values)]


def with_entry(state, part, value):
    """The state with one part of its first quantised tensor replaced."""
    entry = list(state["quantized"][0])
    entry[part] = value
    return replaced(state, "quantized", 0, tuple(entry))


DAMAGE = {
    "fewer tensors": (lambda s: {**s, "others": s["others"][:-1]}, "that are not quantised, exp"),
    "more tensors": (
        lambda s: {**s, "others": copies(s["others"])},
        "that are not quantised, expect",
    ),
    "more levels": (lambda s: {**s, "quantized": copies(s["quantized"])}, "not the largest of the"),
    "no lists": (lambda s: {"quantized": 5}, "in a way that is not diffq's"),
    "text for a tensor": (lambda s: replaced(s, "others", 0, "x"), "something that is no tensor"),
    "another shape": (lambda s: replaced(s, "others", 0, torch.ones(3)), "has shape"),
    "NaN": (
        lambda s: with_entry(s, 1, (float("nan"), 1.0)),
        "NaN or infinity",
    ),
    "two ways": (lambda s: {**s, "float16": s["others"]}, "stored in two ways"),
    "other bits": (
        lambda s: with_entry(s, 2, torch.ones(5)),
        "damaged or foreign",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_quantised_state_that_does_not_fit_is_one_line(tmp_path, monkeypatch, damage):
    change, message = DAMAGE[damage]
    state = {**change(quantised(tiny_network("demucs_v2"))), "__quantized": True}
    torch.save(v2_package(monkeypatch, state), tmp_path / "p.th")
    with pytest.raises(CheckpointError, match=message) as caught:
        load_checkpoint(tmp_path / "p.th")
    assert "\n" not in str(caught.value)


def packed_package(monkeypatch, state, **meta):
    quantiser = old_class(monkeypatch, meta.pop("klass", "diffq.diffq.DiffQuantizer"))
    state = {
        **state,
        "meta": {"init_kwargs": meta, "klass": quantiser, "packed": True},
        "__quantized": True,
    }
    return v2_package(monkeypatch, state, lstm_layers=0)


@pytest.mark.parametrize(
    ("entry", "meta", "message"),
    [
        (([None] * 14, (0.0, 1.0), torch.zeros(1, 1, 32).long()), {"group_size": 0}, "groups of 0"),
        (([None] * 14, (0.0, 1.0), torch.zeros(1, 1, 32).long()), {"group_size": 8}, "are missing"),
        (([None] * 14, (0.0, 1.0), torch.zeros(10**6, 0, 32).long()), {}, "room for 2048000000 le"),
        (
            ([None] * 14, (0.0, 1.0), torch.zeros(1, 16, 32).long()),
            {},
            "packed levels of torch.int",
        ),
        ((torch.zeros(2, 3, 32).long(), (0.0, 1.0)), {"bits": 99}, "weights of 99 bits"),
        ((torch.zeros(1), (0.0, 1.0)), {"klass": "diffq.lsq.LSQ"}, "quantised by diffq.lsq.LSQ"),
    ],
)
def test_packed_levels_that_do_not_fit_are_one_line(tmp_path, monkeypatch, entry, meta, message):
    network = tiny_network("demucs_v2", lstm_layers=0)
    largest = max(network.parameters(), key=torch.numel)
    state = quantised(network, largest.numel() - 1)
    assert len(state["quantized"]) == 1
    if len(entry) == 2 and "klass" not in meta:
        meta = {**meta, "klass": "diffq.uniform.UniformQuantizer"}
    package = packed_package(monkeypatch, {**state, "quantized": [entry]}, **meta)
    torch.save(package, tmp_path / "p.th")
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(tmp_path / "p.th")
