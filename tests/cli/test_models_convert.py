"""`streamsep models convert`."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import torch
from tiny_networks import tiny_network

from cli.commands import typed
from streamsep.models.checkpoints import load_checkpoint, read_checkpoint

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Bare weights as demucs v2 published them."""
    torch.save(tiny_network("demucs_v2").state_dict(), tmp_path / "old.th")
    return tmp_path / "old.th"


@pytest.mark.parametrize("dtype", ["fp32", "fp16"])
def test_what_is_written_is_the_same_network_with_notes(
    weights: Path, dtype: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = weights.with_name("new.safetensors")
    notes = ["--licence", "CC BY 4.0", "--training", "birds", "--dtype", dtype]
    ended = typed(capsys, "models", "convert", weights, out, *notes)
    assert (ended.code, ended.err) == (0, "")
    assert f"demucs package, float32 → {dtype}" in ended.out
    read = read_checkpoint(out)
    assert (read.licence, read.training) == ("CC BY 4.0", "birds")
    assert read.stored_as == {"fp32": "float32", "fp16": "float16"}[dtype]
    network = tiny_network("demucs_v2")
    if dtype == "fp16":
        network = network.half().float()
    for name, weight in network.state_dict().items():
        assert torch.equal(read.network.state_dict()[name], weight)


def test_notes_of_the_file_are_kept(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = weights.with_name("1.safetensors"), weights.with_name("2.safetensors")
    typed(capsys, "models", "convert", weights, first, "--licence", "CC0", "--training", "x")
    typed(capsys, "models", "convert", first, second, "--dtype", "fp16")
    read = read_checkpoint(second)
    assert (read.licence, read.training) == ("CC0", "x")
    typed(capsys, "models", "convert", weights, first, "--force")
    assert read_checkpoint(first).licence == "unknown"


def test_files_of_one_stem_each_become_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = tiny_network("open_unmix", n_fft=4096, hop=1024)
    paths = [tmp_path / f"{stem}-0.pth" for stem in network.sources]
    for path, stem in zip(paths, network.sources, strict=True):
        torch.save(network.target_models[stem].state_dict(), path)
    ended = typed(capsys, "models", "convert", *paths, tmp_path / "umx.safetensors")
    assert ended.code == 0, ended.err
    joined = load_checkpoint(tmp_path / "umx.safetensors")
    assert joined.sources == network.sources
    for name, weight in network.state_dict().items():
        assert torch.equal(joined.state_dict()[name], weight)


def test_nothing_is_overwritten_unless_asked(
    weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = weights.with_name("precious.safetensors")
    out.write_bytes(b"precious")
    typed(capsys, "models", "convert", weights, out).check_one_line(2, "already there")
    assert out.read_bytes() == b"precious"
    assert typed(capsys, "models", "convert", weights, out, "--force").code == 0
    assert load_checkpoint(out).config.hidden == 4


def test_mistakes_are_one_line_and_leave_nothing(
    weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = weights.parent
    out = folder / "out.safetensors"
    (folder / "bad.th").write_bytes(weights.read_bytes()[:5000])
    for arguments, said in [
        ((weights,), "expected IN and OUT"),
        ((folder / "none.th", out), "no such file"),
        ((folder / "bad.th", out), "damaged or foreign"),
        ((weights, weights, out), "only files of openunmix"),
        ((weights, folder), "already there"),
        ((weights, folder, "--force"), "cannot write"),
        ((weights, folder / "old.th" / "x", "--force"), "cannot write"),
        ((weights, out, "--dtype", "int8"), "Invalid value for '--dtype'"),
    ]:
        typed(capsys, "models", "convert", *arguments).check_one_line(2, said)
    assert sorted(path.name for path in folder.iterdir()) == ["bad.th", "old.th"]


FULL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
from streamsep.cli import main
sys.argv = ["streamsep", "models", "convert", *sys.argv[1:]]
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files as Unix does")
def test_a_full_disk_is_one_line_and_leaves_nothing(weights: Path) -> None:
    out = weights.with_name("out.safetensors")
    out.write_bytes(b"before")
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(weights), str(out), "--force"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"streamsep: cannot write {out}: ")
    assert len(done.stderr.splitlines()) == 1
    assert out.read_bytes() == b"before"
    assert sorted(path.name for path in weights.parent.iterdir()) == ["old.th", out.name]
