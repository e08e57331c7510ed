"""No file gets to run anything, or to lie about what it holds."""

from __future__ import annotations

import os
import pickle
import zipfile
import zlib
from collections import deque
from pathlib import Path

import pytest
import torch
from checkpoint_material import small, zip_of

from streamsep.errors import CheckpointError
from streamsep.models.checkpoints import load_checkpoint
from streamsep.models.checkpoints.restricted_unpickler import StoredTensor
from streamsep.models.checkpoints.torch_file import TorchFile


class Attack:
    """Makes a file when it is unpickled."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def attacks(target):
    code = f"open({str(target)!r}, 'w').close()"
    return [
        Attack(os.system, f"touch '{target}'"),
        Attack(eval, code),
        Attack(exec, code),
        Attack(Path.touch, target),
        Attack(getattr, "text", "upper"),
        Attack(torch.load, str(target)),
        Attack(torch.hub.load, "a", "b"),
        Attack(__import__, "antigravity"),
    ]


@pytest.mark.parametrize("number", range(8))
@pytest.mark.parametrize("legacy", [False, True])
def test_nothing_in_a_file_is_run(tmp_path, number, legacy):
    target = tmp_path / "was-here"
    path = tmp_path / "evil.th"
    package = {"klass": attacks(target)[number], "args": (), "kwargs": {}, "state": {}}
    torch.save(package, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(CheckpointError, match=r"wants to use \S+, .* it was not run"):
        load_checkpoint(path)
    assert not target.exists()


def test_a_bare_malicious_pickle_is_not_run(tmp_path):
    target = tmp_path / "was-here"
    path = tmp_path / "evil.pt"
    path.write_bytes(pickle.dumps(attacks(target)[0], protocol=2))
    with pytest.raises(CheckpointError, match=r"posix.system|nt.system"):
        load_checkpoint(path)
    assert not target.exists()


def test_the_functions_a_file_may_call_cannot_be_changed_by_it(tmp_path):
    # GLOBAL torch._utils _rebuild_parameter, {"x": 1}, BUILD: sets an attribute of the function.
    program = b"\x80\x02ctorch._utils\n_rebuild_parameter\n}X\x01\x00\x00\x00xK\x01sb."
    path = tmp_path / "evil.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("evil/data.pkl", program)
    with pytest.raises(CheckpointError, match="tries to change a function"):
        load_checkpoint(path)


GLOBAL = b"cposix\nsystem\n"
ORDER = b"X\x08\x00\x00\x00touch ok"
TRICKS = {
    "reduce": GLOBAL + ORDER + b"\x85R",
    "inst": b"(" + ORDER + b"iposix\nsystem\n",
    "obj": b"(" + GLOBAL + ORDER + b"o",
    "new object": GLOBAL + ORDER + b"\x85\x81",
    "stack global": b"X\x05\x00\x00\x00posixX\x06\x00\x00\x00system\x93" + ORDER + b"\x85R",
    "extension": b"\x82\x01" + ORDER + b"\x85R",
    "in a persistent id": GLOBAL + ORDER + b"\x85RQ",
    "in a key": b"}" + GLOBAL + ORDER + b"\x85RK\x01s",
    "build": b"ccollections\nOrderedDict\n)R}X\x05\x00\x00\x00itemsh\x00sb",
    "nested name": b"\x80\x04\x8c\x0ftorch.serialization\x8c\x07os.name\x93",
    "class of a network": b"cdemucs.hdemucs\nHDemucs\n)\x81}X\x01\x00\x00\x00xK\x01sb",
    "lambda of torch": b"ctorch\nload\n" + ORDER + b"\x85R",
}


@pytest.mark.parametrize("trick", TRICKS)
@pytest.mark.parametrize("place", ["zip", "bare", "legacy", "compressed"])
def test_no_instruction_of_a_pickle_runs_anything(tmp_path, monkeypatch, trick, place):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "evil.th"
    program = b"\x80\x02" + TRICKS[trick] + b"."
    if place == "zip":
        zip_of(path, program)
    elif place == "bare":
        path.write_bytes(program)
    elif place == "legacy":
        head = [pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {})]
        path.write_bytes(b"".join(head) + program + pickle.dumps([], 2))
    else:
        zip_of(tmp_path / "inner", program)
        packed = zlib.compress((tmp_path / "inner").read_bytes())
        torch.save({"compressed": packed}, path)
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ok").exists()


@pytest.mark.parametrize("as_zip", [False, True])
def test_a_pickle_cannot_make_the_unpickler_reserve_memory(tmp_path, as_zip):
    # LONG_BINPUT: remember the dictionary as object number 4294967295.
    program = b"\x80\x02}r\xff\xff\xff\xff."
    path = tmp_path / "evil.pt"
    path.write_bytes(program)
    if as_zip:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("evil/data.pkl", program)
    with pytest.raises(CheckpointError, match="a pickle with LONG_BINPUT 4294967295"):
        load_checkpoint(path)


def test_a_pickled_module_is_refused(tmp_path):
    path = tmp_path / "module.pt"
    torch.save(torch.nn.Linear(2, 2), path)
    with pytest.raises(CheckpointError, match=r"wants to use torch.nn.modules.linear.Linear"):
        load_checkpoint(path)


def rezipped(path, change=lambda name, content: content, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in records.items():
            archive.writestr(name, change(name, content))


@pytest.fixture
def bundle(tmp_path):
    path = tmp_path / "bundle.pt"
    torch.save(small().state_dict(), path)
    return path


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (0, (10**9,), (0,)),
        (0, (10**9, 10**9), (1, 1)),
        (10**6, (1,), (1,)),
        (0, (4, 4), (10**6, 1)),
        (-1, (1,), (1,)),
        (0, (2,), (-1,)),
        (0, (2,), (1, 1)),
        (0, ("2",), (1,)),
        (0, (True,), (1,)),
    ],
)
def test_a_tensor_larger_than_its_storage_is_never_allocated(bundle, offset, shape, strides):
    with TorchFile(bundle) as file:
        storage = next(iter(file.content.values())).storage
        with pytest.raises(ValueError, match="a tensor of shape"):
            file.read(StoredTensor(storage, offset, shape, strides))


def test_the_same_numbers_cannot_be_read_many_times(bundle):
    with TorchFile(bundle) as file:
        largest = max(file.content.values(), key=lambda tensor: tensor.storage.numel)
        for _ in range(2):
            file.read(largest)
        file._read_bytes = 2 * bundle.stat().st_size
        with pytest.raises(ValueError, match="larger than its storage"):
            file.read(largest)


def test_one_storage_cannot_be_read_for_ever(tmp_path):
    numbers = torch.zeros(10_000)
    weights = {f"layer.{n}": numbers[n : n + 1] for n in range(200)}
    torch.save(weights, tmp_path / "views.pt")
    with TorchFile(tmp_path / "views.pt") as file:
        views = list(file.content.values())
        for view in views[:16]:  # as the weights of an LSTM of two layers do
            file.read(view)
        with pytest.raises(ValueError, match="many tensors in one storage"):
            deque(map(file.read, views[16:]), maxlen=0)


def test_compressed_archives_are_refused(bundle):
    rezipped(bundle, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(CheckpointError, match="compressed"):
        load_checkpoint(bundle)


def test_an_archive_with_short_records_is_refused(bundle):
    rezipped(bundle, lambda name, content: content[:4] if "/data/" in name else content)
    with pytest.raises(CheckpointError, match="ends in the middle of a tensor"):
        load_checkpoint(bundle)


def test_numbers_of_another_machine_are_refused(bundle):
    rezipped(bundle, lambda name, content: b"big" if "byteorder" in name else content)
    with pytest.raises(CheckpointError, match="byte order"):
        load_checkpoint(bundle)


def test_one_flipped_bit_in_a_bundle_is_noticed(bundle):
    raw = bytearray(bundle.read_bytes())
    raw[len(raw) // 2] ^= 1
    bundle.write_bytes(raw)
    with pytest.raises(CheckpointError, match="CRC"):
        load_checkpoint(bundle)
