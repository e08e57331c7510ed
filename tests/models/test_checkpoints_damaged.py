"""Damaged and foreign files are refused in one line, wherever they are damaged."""

from __future__ import annotations

import gzip
import json
import os
import tempfile
from contextlib import suppress

import pytest
import torch
from checkpoint_material import NOTES, STEMS, same_output, small
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import demucs_from_ours
from safetensors.torch import save_file

from streamsep.errors import CheckpointError, OutputError
from streamsep.models.checkpoints import load_checkpoint, save_checkpoint


@pytest.fixture(scope="module")
def network():
    return small()


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


def test_what_is_no_file_is_one_line(tmp_path):
    with pytest.raises(CheckpointError, match="no such file"):
        load_checkpoint(tmp_path / "none.pt")
    with pytest.raises(CheckpointError, match="it is a folder, expected a network"):
        load_checkpoint(tmp_path)
    (tmp_path / "dangling.pt").symlink_to("none.pt")
    with pytest.raises(CheckpointError, match="no such file"):
        load_checkpoint(tmp_path / "dangling.pt")
    (tmp_path / "round.pt").symlink_to("round.pt")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_checkpoint(tmp_path / "round.pt")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.pt")
    with pytest.raises(CheckpointError, match="it is no regular file"):
        load_checkpoint(tmp_path / "pipe.pt")


KINDS = ("ours", "zip", "legacy", "demucs", "gzip")


@pytest.fixture
def full_at_ten_kilobytes():
    """Let the system refuse to let any file of this process grow past 10 kB."""
    resource = pytest.importorskip("resource", reason="Windows cannot limit the size of files")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """Random weights in a gzip file; they unpack to more than 10 kB."""
    path = tmp_path_factory.mktemp("packed") / "net.th.gz"
    with gzip.open(path, "wb") as stream:
        torch.save({"weights": torch.randn(50_000)}, stream)
    return path


NO_ROOM = "there is no room to unpack it .* make room in the folder for temporary files"


@pytest.mark.usefixtures("full_at_ten_kilobytes")
def test_a_full_disk_is_no_fault_of_a_compressed_file(packed):
    with pytest.raises(OutputError, match=NO_ROOM) as caught:
        load_checkpoint(packed)
    assert str(caught.value).startswith(f"{packed}: ")
    assert "File too large" in str(caught.value)


def test_a_missing_folder_for_temporary_files_is_no_fault_of_a_compressed_file(
    packed, tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(OutputError, match=NO_ROOM):
        load_checkpoint(packed)


@pytest.fixture(scope="module")
def files(tmp_path_factory, network):
    """One file of every layout, as bytes."""
    folder = tmp_path_factory.mktemp("files")
    weights = network.state_dict()
    save_checkpoint(network, folder / "ours", **NOTES)
    torch.save(weights, folder / "zip")
    torch.save(weights, folder / "legacy", _use_new_zipfile_serialization=False)
    described = {"klass": "demucs.hdemucs.HDemucs", "args": "[]"}
    kwargs = {"sources": STEMS, "channels": 4, "nfft": 1024, "depth": 5}
    described["kwargs"] = json.dumps(kwargs)
    save_file(demucs_from_ours(weights), folder / "demucs", described)
    (folder / "gzip").write_bytes(gzip.compress((folder / "zip").read_bytes(), 1))
    return {name: (folder / name).read_bytes() for name in KINDS}, folder


@pytest.mark.parametrize("kind", KINDS)
def test_whole_files_load(files, network, kind):
    _, folder = files
    assert same_output(load_checkpoint(folder / kind), network)


@pytest.mark.parametrize("kind", KINDS)
def test_truncated_files_are_refused(files, kind):
    contents, folder = files
    path = folder / "cut"
    content = contents[kind]
    shares = (0.001, *(tenths / 10 for tenths in range(1, 10)), 0.999)
    for length in (*(int(len(content) * share) for share in shares), len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(CheckpointError):
            load_checkpoint(path)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25)
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
