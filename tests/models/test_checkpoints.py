"""Every format gives the same network back, and no file gets to run anything."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import demucs_from_ours
from safetensors.torch import save_file

from streamsep.errors import CheckpointError, OutputError
from streamsep.models.checkpoints import load_checkpoint, read_header, save_checkpoint
from streamsep.models.checkpoints.restricted_unpickler import StoredTensor
from streamsep.models.checkpoints.torch_file import TorchFile
from streamsep.models.hybrid_demucs import HybridDemucs, HybridDemucsConfig

STEMS = ["drums", "bass", "other", "vocals"]
SMALL = HybridDemucsConfig(hidden=4, n_fft=1024, depth=5)
NOTES = {"licence": "MIT", "training": "none at all"}


def sound(channels=2, length=9000):
    return torch.randn(1, channels, length, generator=torch.Generator().manual_seed(3))


def same_output(first, second, mix=None):
    mix = sound() if mix is None else mix
    with torch.inference_mode():
        return torch.equal(first(mix), second(mix))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return HybridDemucs(SMALL).eval()


@pytest.fixture(scope="module")
def demucs_class():
    return pytest.importorskip("demucs.hdemucs").HDemucs


def demucs_package(klass, *args, half=True, **kwargs):
    """What demucs' serialize_model writes, and the network rounded as the file is."""
    torch.manual_seed(1)
    theirs = klass(*args, **kwargs).eval()
    state = {k: v.half() if half else v.clone() for k, v in theirs.state_dict().items()}
    theirs.load_state_dict({key: value.float() for key, value in state.items()})
    package = {
        "klass": klass,
        "args": args,
        "kwargs": kwargs,
        "state": state,
        "training_args": {"lr": 3e-4, "dset": {"sources": STEMS}, "continue_from": None},
    }
    return theirs, package


# Our own format


@pytest.mark.parametrize("dtype", ["fp32", "fp16"])
def test_our_format_keeps_weights_configuration_and_notes(network, tmp_path, dtype):
    config = replace(SMALL, sources=("drums", "rest"), audio_channels=1, sample_rate=22_050)
    original = HybridDemucs(config)
    path = tmp_path / "deep" / "network.safetensors"
    save_checkpoint(original, path, dtype=dtype, **NOTES)
    loaded = load_checkpoint(path)
    if dtype == "fp16":
        original.half().float()
    assert loaded.config == config
    assert not loaded.training
    assert same_output(original.eval(), loaded, sound(channels=1))
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
        (lambda h: h["config"].update(depth=10**9), "depth is 1000000000, expected 1 to"),
        (lambda h: h["config"].update(stride=1), "stride is 1, expected 2 to"),
        (lambda h: h["config"].update(sources=["x"]), "contradicts"),
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


# torchaudio


@pytest.mark.parametrize("legacy", [False, True])
def test_torchaudio_bundles_load_and_sound_the_same(tmp_path, legacy):
    models = pytest.importorskip("torchaudio.models")
    torch.manual_seed(2)
    theirs = models.HDemucs(sources=STEMS, channels=4).eval()
    path = tmp_path / "bundle.pt"
    torch.save(theirs.state_dict(), path, _use_new_zipfile_serialization=not legacy)
    ours = load_checkpoint(path)
    assert ours.config == HybridDemucsConfig(hidden=4)
    with torch.inference_mode():
        difference = (theirs(sound()) - ours(sound())).abs().max()
    assert difference < 1e-5


def test_other_dictionaries_of_tensors_are_refused(tmp_path):
    path = tmp_path / "other.pt"
    torch.save({"layer.weight": torch.ones(3)}, path)
    with pytest.raises(CheckpointError, match="something else in it, expected a network"):
        load_checkpoint(path)
    torch.save({"freq_encoder.0.conv.weight": torch.ones(3)}, path)
    with pytest.raises(CheckpointError, match="not those of torchaudio's Hybrid Demucs"):
        load_checkpoint(path)


def test_tensors_that_share_or_skip_memory_are_read_right(network, tmp_path):
    weights = dict(network.state_dict())
    name = "freq_encoder.4.rewrite.weight"
    wide = torch.randn(2 * weights[name].numel())
    weights[name] = wide[::2].view_as(weights[name])
    path = tmp_path / "bundle.pt"
    torch.save(weights, path)
    assert torch.equal(load_checkpoint(path).state_dict()[name], weights[name])


# demucs


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("positional", [False, True])
def test_demucs_packages_load_and_sound_the_same(demucs_class, tmp_path, legacy, positional):
    if positional:
        theirs, package = demucs_package(demucs_class, STEMS, 1, 4)
    else:
        theirs, package = demucs_package(demucs_class, sources=STEMS, channels=4, audio_channels=1)
    path = tmp_path / "package.th"
    torch.save(package, path, _use_new_zipfile_serialization=not legacy)
    ours = load_checkpoint(path)
    assert ours.config.hidden == 4
    with torch.inference_mode():
        difference = (theirs(sound(1)) - ours(sound(1))).abs().max()
    assert difference < 1e-5


def test_options_that_say_nothing_about_the_network_are_accepted(demucs_class, tmp_path):
    # These stand in the published hdemucs_mmi.
    _, package = demucs_package(
        demucs_class,
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
    ],
)
def test_options_that_do_not_fit_each_other_or_the_weights_are_named(
    network, tmp_path, options, message
):
    kwargs = {"sources": STEMS, "channels": 4, "nfft": 1024, "depth": 5, **options}
    metadata = {
        "klass": "demucs.hdemucs.HDemucs",
        "args": "[]",
        "kwargs": json.dumps(kwargs),
    }
    weights = demucs_from_ours(network.state_dict())
    save_file(weights, tmp_path / "network.safetensors", metadata)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(tmp_path / "network.safetensors")


def test_demucs_safetensors_load_too(demucs_class, tmp_path):
    theirs, package = demucs_package(demucs_class, sources=STEMS, channels=4)
    metadata = {
        "klass": "demucs.hdemucs.HDemucs",
        "args": json.dumps([]),
        "kwargs": json.dumps(package["kwargs"]),
    }
    path = tmp_path / "75fc33f5.safetensors"
    save_file(package["state"], path, metadata)
    ours = load_checkpoint(path)
    with torch.inference_mode():
        assert (theirs(sound()) - ours(sound())).abs().max() < 1e-5
    save_file(package["state"], path, {**metadata, "structure": "{}"})
    with pytest.raises(CheckpointError, match="quantised"):
        load_checkpoint(path)
    save_file(package["state"], path, {**metadata, "klass": "os.system"})
    with pytest.raises(CheckpointError, match=r"holds a os.system; of demucs' networks only"):
        load_checkpoint(path)


def test_other_networks_of_demucs_are_refused_by_name(tmp_path):
    modules = pytest.importorskip("demucs.htdemucs")
    package = {
        "klass": modules.HTDemucs,
        "args": (),
        "kwargs": {"sources": STEMS, "segment": Fraction(39, 5)},
        "state": {"a": torch.ones(1).half()},
    }
    torch.save(package, tmp_path / "955717e8.th")
    with pytest.raises(CheckpointError, match=r"holds a demucs.htdemucs.HTDemucs; .*HDemucs is kn"):
        load_checkpoint(tmp_path / "955717e8.th")


def test_quantised_weights_are_refused(demucs_class, tmp_path):
    package = {
        "klass": demucs_class,
        "args": (),
        "kwargs": {"sources": STEMS},
        "state": {"__quantized": True, "quantized": [torch.ones(1)]},
    }
    torch.save(package, tmp_path / "q.th")
    with pytest.raises(CheckpointError, match="quantised"):
        load_checkpoint(tmp_path / "q.th")


# Files that want to run something


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


# Files that lie about their size


def rezipped(path, change=lambda name, content: content, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in records.items():
            archive.writestr(name, change(name, content))


@pytest.fixture
def bundle(network, tmp_path):
    path = tmp_path / "bundle.pt"
    torch.save(network.state_dict(), path)
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


# Damaged and foreign files


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x",
        b"RIFF\x24\x00\x00\x00WAVEfmt ",
        b"<!DOCTYPE html><html>404</html>",
        b"version https://git-lfs.github.com/spec/v1",
        b"PK\x03\x04",
        b"\x80\x02",
        b"\x80\x02}q\x00.",
        b"\x02\x00\x00\x00\x00\x00\x00\x00{}",
        b"\xff\xff\xff\xff\xff\xff\xff\x7f{}",
        b"\x80\x02" + b"(" * 100_000,
    ],
)
def test_foreign_files_are_one_line(tmp_path, content):
    path = tmp_path / "network.pt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="expected a network") as caught:
        load_checkpoint(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_missing_files_and_folders_are_one_line(tmp_path):
    with pytest.raises(CheckpointError, match="no such file"):
        load_checkpoint(tmp_path / "none.pt")
    with pytest.raises(CheckpointError, match="no such file"):
        load_checkpoint(tmp_path)


@pytest.fixture(scope="module")
def files(tmp_path_factory, network):
    """One file of every layout, as bytes."""
    folder = tmp_path_factory.mktemp("files")
    save_checkpoint(network, folder / "ours", **NOTES)
    torch.save(network.state_dict(), folder / "zip")
    torch.save(network.state_dict(), folder / "legacy", _use_new_zipfile_serialization=False)
    return {name: (folder / name).read_bytes() for name in ("ours", "zip", "legacy")}, folder


@pytest.mark.parametrize("kind", ["ours", "zip", "legacy"])
def test_truncated_files_are_refused(files, kind):
    contents, folder = files
    path = folder / "cut"
    content = contents[kind]
    for share in (0.001, 0.01, 0.3, 0.9, 0.999):
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(CheckpointError):
            load_checkpoint(path)
    path.write_bytes(content[:-1])
    with pytest.raises(CheckpointError):
        load_checkpoint(path)


@pytest.mark.parametrize("kind", ["ours", "zip", "legacy"])
@settings(max_examples=40)
@given(data=st.data())
def test_damaged_files_load_or_are_refused_and_nothing_else(files, kind, data):
    contents, folder = files
    raw = bytearray(contents[kind])
    # Most bytes are weights, where damage is dull: the ends hold the structure.
    edge = st.integers(0, min(60_000, len(raw) - 1))
    for place in data.draw(st.lists(edge | edge.map(lambda i: len(raw) - 1 - i), max_size=20)):
        raw[place] = data.draw(st.integers(0, 255))
    path = folder / "damaged"
    path.write_bytes(raw)
    with suppress(CheckpointError):
        load_checkpoint(path)
