"""`streamsep export`: what comes out is the network."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest
import torch
from streams import noise, one_push
from support import REPOSITORY
from tiny_networks import tiny_network

from cli.commands import run
from streamsep.cli.export import export
from streamsep.cli.separate import separate
from streamsep.config import load_preset
from streamsep.config.network_description import load_network_description
from streamsep.engine import StreamConfig, StreamingSeparator
from streamsep.errors import ConfigError, ModelError, OutputError
from streamsep.models import load_model
from streamsep.models.checkpoints import save_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

SHORT = ("--segment", "0.02")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the weights of two small networks, and one of them exported."""
    folder = tmp_path_factory.mktemp("networks")
    for name in ("hybrid_demucs", "wave_u_net"):
        file = folder / f"{name}.safetensors"
        save_checkpoint(tiny_network(name), file, licence="CC0", training="a test")
    ended = run(export, folder / "hybrid_demucs.safetensors", folder / "out" / "mine.pt2", *SHORT)
    assert ended.exit_code == 0, ended.exception
    assert "equal to it within" in ended.output
    return folder


def test_the_program_streams_as_the_network(files: Path) -> None:
    network = load_model(files / "hybrid_demucs.safetensors")
    program = load_model(files / "out" / "mine.pt2")
    assert (program.name, program.licence) == ("mine", "CC0")
    assert (program.sources, program.stride) == (network.sources, network.stride)
    stride = network.stride
    assert program.segment == 4 * stride * round(0.02 * 44_100 / (4 * stride))
    config = StreamConfig(
        context=program.segment - 3 * stride, hop=2 * stride, look_ahead=stride, crossfade=8
    )
    signal = noise(2, 3 * program.segment + 5)
    expected = one_push(StreamingSeparator(network, config), signal)
    stems = one_push(StreamingSeparator(program, config), signal)
    torch.testing.assert_close(stems, expected, rtol=0, atol=float(1e-5 * expected.std()))


def test_files_are_separated_with_it(files: Path, song: Path, folder: Path) -> None:
    assert sorted(path.name for path in (files / "out").iterdir()) == ["mine.pt2", "mine.yaml"]
    ended = run(separate, "-n", files / "out" / "mine.yaml", song)
    assert ended.exit_code == 0, ended.exception
    stems = sorted(path.name for path in (folder / "separated" / "mine" / "song").iterdir())
    assert stems == ["bass.wav", "drums.wav", "other.wav", "vocals.wav"]


def test_the_program_says_nothing_of_the_machine_it_was_made_on(files: Path) -> None:
    with zipfile.ZipFile(files / "out" / "mine.pt2") as archive:
        graph = b"".join(archive.read(name) for name in archive.namelist() if name.endswith("json"))
    assert b"stack_trace" not in graph
    assert str(REPOSITORY).encode() not in graph


def test_a_preset_says_how_long_segments_are(files: Path, folder: Path) -> None:
    ended = run(export, files / "wave_u_net.safetensors", "a.pt2", "--latency-preset", "live")
    assert ended.exit_code == 0, ended.exception
    description = load_network_description(folder / "a.yaml")
    assert description.fixed_segment == load_preset("live").segment
    assert description.training == "a test"


def test_a_name_that_says_another_format_is_refused(weights: Path, folder: Path) -> None:
    ended = run(export, weights, "mine.onnx")
    assert isinstance(ended.exception, ConfigError)
    assert "should end in .pt2" in str(ended.exception)
    assert not list(folder.iterdir())


def test_two_lengths_are_refused(weights: Path) -> None:
    ended = run(export, weights, "mine.pt2", "--segment", "3", "--latency-preset", "live")
    assert isinstance(ended.exception, ConfigError)


def test_a_bag_is_exported_one_by_one(weights: Path, folder: Path) -> None:
    (folder / "bag.yaml").write_text(f"members: [{weights}, {weights}]\n", encoding="utf-8")
    ended = run(export, "bag.yaml", "mine.pt2")
    assert isinstance(ended.exception, ConfigError)
    assert "export the members of a bag one by one" in str(ended.exception)


def test_what_cannot_be_written_leaves_nothing(
    files: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "file").write_text("", encoding="utf-8")
    small = files / "wave_u_net.safetensors"
    ended = run(export, small, "file/mine.pt2", *SHORT)
    assert isinstance(ended.exception, OutputError)
    monkeypatch.setattr("streamsep.models.exported.exporting._LARGEST_DIFFERENCE", -1.0)
    ended = run(export, small, "mine.pt2", *SHORT)
    assert isinstance(ended.exception, ModelError)
    assert "nothing was written" in str(ended.exception)
    assert [path.name for path in folder.iterdir()] == ["file"]
