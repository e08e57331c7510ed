"""Programs of torch.export that want to run more than a network."""

from __future__ import annotations

import io
import json
import os
import pickle
import warnings
import zipfile
from contextlib import suppress

import pytest
import torch
from exported_programs import describe, export, plain_network
from torch import Tensor, nn

from streamsep.errors import CheckpointError
from streamsep.models import load_model

GRAPH = "models/model.json"
WEIGHTS = "data/weights/model_weights_config.json"
CONSTANTS = "data/constants/model_constants_config.json"
SAMPLES = "data/sample_inputs/model.pt"


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """The records of a good program by their names, without the folder."""
    path = export(plain_network(), tmp_path_factory.mktemp("good") / "net.pt2", fixed=64)
    with zipfile.ZipFile(path) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def packed(records, path):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in records.items():
            archive.writestr(f"net/{name}", content)
    return describe(path, minimum_segment=None, fixed_segment=64)


def changed(records, name, change):
    content = json.loads(records[name])
    change(content)
    return {**records, name: json.dumps(content).encode()}


def first_node(graph):
    return graph["graph_module"]["graph"]["nodes"][0]


def pickled_weight(records, trap):
    buffer = io.BytesIO()
    torch.save(Trap(trap), buffer)

    def change(config):
        next(iter(config["config"].values()))["use_pickle"] = True

    return {**changed(records, WEIGHTS, change), "data/weights/weight_0": buffer.getvalue()}


def pickled_sample(records, trap):
    buffer = io.BytesIO()
    torch.save(((Trap(trap),), {}), buffer)
    return {**records, SAMPLES: buffer.getvalue()}


def custom_object(records, trap):
    def change(config):
        payload = {"path_name": "custom_obj_0", "is_param": False, "use_pickle": True}
        config["config"]["thing"] = {**payload, "tensor_meta": None}

    return {
        **changed(records, CONSTANTS, change),
        "data/constants/custom_obj_0": pickle.dumps(Trap(trap)),
    }


def function_of_python(records, trap):
    def change(graph):
        node = first_node(graph)
        node["target"] = "torch.os.system"
        name = {"name": "", "arg": {"as_string": f"touch {trap}"}, "kind": 1}
        node["inputs"] = [name]

    return changed(records, GRAPH, change)


def operator_as_argument(records, trap):
    def change(graph):
        first_node(graph)["inputs"][0]["arg"] = {"as_operator": "torch.os.system"}

    return changed(records, GRAPH, change)


def file_as_tensor(records, trap):
    def change(graph):
        first_node(graph)["target"] = "torch.ops.aten.from_file.default"

    return changed(records, GRAPH, change)


def guard(text):
    def apply(records, trap):
        def change(graph):
            graph["guards_code"] = [text.format(trap)]

        return changed(records, GRAPH, change)

    return apply


def expression(text):
    def apply(records, trap):
        def change(graph):
            (value,) = list(graph["graph_module"]["graph"]["tensor_values"].values())[:1]
            size = {"as_expr": {"expr_str": text.format(trap), "hint": {"as_int": 64}}}
            value["sizes"][-1] = size

        return changed(records, GRAPH, change)

    return apply


def imported_type(records, trap):
    def change(graph):
        signature = graph["graph_module"]["module_call_graph"][0]["signature"]
        signature["in_spec"] = json.dumps([1, {"type": "collections.defaultdict", "context": ""}])

    return changed(records, GRAPH, change)


def library(records, trap):
    return {**records, "data/aotinductor/model/model.so": b"\x7fELF"}


def second_program(records, trap):
    return {**records, "models/other.json": records[GRAPH]}


def legacy_weights(records, trap):
    buffer = io.BytesIO()
    torch.save(Trap(trap), buffer)
    return {**records, "data/weights/model.pt": buffer.getvalue()}


HOSTILE = {
    "a pickled weight": pickled_weight,
    "a pickled sample": pickled_sample,
    "an object among the constants": custom_object,
    "a function of Python": function_of_python,
    "a function as an argument": operator_as_argument,
    "a file as a tensor": file_as_tensor,
    "a guard that opens": guard("open('{}', 'w')"),
    "a guard with attributes": guard("L['x'].__class__.__mro__[1]"),
    "an expression that opens": expression("open('{}', 'w')"),
    "an expression of characters": expression("exec(chr(112))"),
    "a type to be imported": imported_type,
    "a library": library,
    "two programs": second_program,
    "weights as torch once saved them": legacy_weights,
}


@pytest.mark.parametrize("attack", HOSTILE)
def test_a_hostile_program_is_refused_before_it_is_loaded(good, tmp_path, attack):
    trap = tmp_path / "sprung"
    description = packed(HOSTILE[attack](good, trap), tmp_path / "net.pt2")
    with pytest.raises(CheckpointError, match="nothing of it was run") as caught:
        load_model(description)
    assert "\n" not in str(caught.value)
    assert not trap.exists()


def test_the_traps_are_real(good, tmp_path):
    """Without the look beforehand, torch itself springs them."""
    trap = tmp_path / "sprung"
    packed(pickled_sample(good, trap), tmp_path / "net.pt2")
    with warnings.catch_warnings(), (tmp_path / "net.pt2").open("rb") as stream:
        warnings.simplefilter("ignore")
        with suppress(Exception):
            torch.export.load(stream)
    assert trap.exists()


def test_guards_on_lengths_are_fine(tmp_path):
    class Choosy(nn.Module):
        def forward(self, mix: Tensor) -> Tensor:
            gain = 2 if mix.shape[-1] % 16 == 0 and 3 * mix.shape[-1] > 60 else 1
            return torch.stack([gain * mix] * 3, dim=1)

    dynamic = {2: torch.export.Dim.DYNAMIC}
    program = torch.export.export(Choosy(), (torch.randn(1, 2, 64),), dynamic_shapes=(dynamic,))
    torch.export.save(program, tmp_path / "net.pt2")
    with zipfile.ZipFile(tmp_path / "net.pt2") as archive:
        assert json.loads(archive.read(f"net/{GRAPH}"))["guards_code"]
    mix = torch.randn(1, 2, 96)
    stems = load_model(describe(tmp_path / "net.pt2"))(mix)
    assert torch.equal(stems[:, 0], 2 * mix)


def test_the_same_records_unchanged_are_loaded(good, tmp_path):
    assert load_model(packed(good, tmp_path / "net.pt2")).name == "net"
