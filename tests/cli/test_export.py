"""`streamsep export`: what comes out is the network."""

from __future__ import annotations

import resource
import signal
import zipfile
from dataclasses import replace
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
from streamsep.models.architectures import build_network
from streamsep.models.checkpoints import save_checkpoint
from streamsep.models.exported.exporting import export_network

if TYPE_CHECKING:
    from collections.abc import Iterator
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


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file can become longer than some bytes."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)


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


def test_a_preset_is_fitted_to_the_network_as_in_an_engine(folder: Path) -> None:
    slim = build_network("demucs_v1", {"hidden": 1})
    save_checkpoint(slim, folder / "slim.safetensors", licence="CC0", training="a test")
    ended = run(export, "slim.safetensors", "slim.pt2", "--latency-preset", "shortest")
    assert ended.exit_code == 0, ended.exception
    fitted = StreamConfig.from_preset(load_preset("shortest")).fitted_to(slim)
    assert load_network_description(folder / "slim.yaml").fixed_segment == fitted.segment


def test_what_a_network_makes_use_of_is_said_of_its_program(files: Path, folder: Path) -> None:
    network = replace(load_model(files / "wave_u_net.safetensors"), longest_context=4096)
    segment = 8 * network.stride
    export_network(network, folder / "mine.pt2", segment=segment, training="a test")
    assert load_model("mine.pt2").longest_context == 4096


@pytest.mark.parametrize("name", ["mine.onnx", "."])
def test_a_name_that_says_another_format_is_refused(name: str, weights: Path, folder: Path) -> None:
    ended = run(export, weights, name)
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


def test_on_a_full_disk_nothing_is_left(files: Path, folder: Path, full_disk: None) -> None:
    ended = run(export, files / "wave_u_net.safetensors", "mine.pt2", *SHORT)
    assert isinstance(ended.exception, OutputError)
    assert not list(folder.iterdir())


@pytest.mark.parametrize("taken", ["mine.pt2", "mine.yaml"])
def test_nothing_is_replaced_unless_asked(taken: str, files: Path, folder: Path) -> None:
    (folder / taken).write_bytes(b"precious")
    small = files / "wave_u_net.safetensors"
    ended = run(export, small, "mine.pt2", *SHORT)
    assert isinstance(ended.exception, OutputError)
    assert f"{taken} is already there" in str(ended.exception)
    assert [path.read_bytes() for path in folder.iterdir()] == [b"precious"]
    assert run(export, small, "mine.pt2", *SHORT, "--force").exit_code == 0
    assert load_model("mine.pt2").name == "mine"


@pytest.mark.parametrize("taken", ["mine.pt2", "mine.yaml"])
def test_where_one_of_the_two_cannot_be_written_the_other_stays_as_it_was(
    taken: str, files: Path, folder: Path
) -> None:
    for name in ("mine.pt2", "mine.yaml"):
        if name == taken:
            (folder / name).mkdir()
        else:
            (folder / name).write_bytes(b"as it was")
    ended = run(export, files / "wave_u_net.safetensors", "mine.pt2", *SHORT, "--force")
    assert isinstance(ended.exception, OutputError)
    assert [path.read_bytes() for path in folder.iterdir() if path.is_file()] == [b"as it was"]
    assert sorted(path.name for path in folder.iterdir()) == ["mine.pt2", "mine.yaml"]
