"""`streamsep models info`."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
from tiny_networks import tiny_network

from cli.commands import run, typed
from streamsep.cli.models.info import info
from streamsep.config import load_bag_cards, load_model_cards
from streamsep.models.checkpoints import save_checkpoint

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _no_torch_downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


def facts(*arguments: object) -> dict[str, Any]:
    result = run(info, "--json", *arguments)
    assert result.exit_code == 0, result.exception
    return dict(json.loads(result.output))


def test_what_a_run_has_written_is_called_like_the_run(tmp_path: Path) -> None:
    path = tmp_path / "calm" / "network.safetensors"
    save_checkpoint(tiny_network("hybrid_demucs"), path, licence="CC0", training="birds")
    assert facts(path)["name"] == "calm"


@pytest.mark.parametrize("kind", ["hybrid_demucs", "demucs_v2", "conv_tasnet", "open_unmix"])
def test_a_file_says_what_it_is(tmp_path: Path, kind: str) -> None:
    network = tiny_network(kind)
    path = tmp_path / "mine.safetensors"
    save_checkpoint(network, path, licence="CC0", training="birds", dtype="fp16")
    found = facts(path)
    assert found["name"] == "mine"
    assert found["path"] == str(path)
    assert (found["format"], found["stored_as"]) == ("streamsep", "float16")
    assert found["architecture"] == kind
    assert found["options"]["hidden"] == network.config.hidden
    assert found["sources"] == ["drums", "bass", "other", "vocals"]
    assert (found["sample_rate"], found["channels"]) == (44_100, 2)
    assert found["stride"] == network.stride
    assert found["parameters"] == sum(weight.numel() for weight in network.parameters())
    assert found["size_bytes"] == path.stat().st_size
    assert found["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (found["licence"], found["training"]) == ("CC0", "birds")


def test_a_file_of_others_is_described_as_far_as_it_says(tmp_path: Path) -> None:
    torch.save(tiny_network("demucs_v2").state_dict(), tmp_path / "old.th")
    found = facts(tmp_path / "old.th")
    assert (found["format"], found["architecture"]) == ("demucs package", "demucs_v2")
    assert (found["licence"], found["training"]) == ("unknown", "unknown")
    result = run(info, tmp_path / "old.th")
    assert "demucs_v2" in result.output
    assert "hidden 4" in result.output
    narrow = run(info, tmp_path / "old.th", COLUMNS="60").output
    assert found["sha256"] in "".join(narrow.split())


def test_a_network_that_is_not_here_is_described_by_its_card(tmp_path: Path) -> None:
    card = load_model_cards()["mdx_0d19c1c6"]
    found = facts("mdx_0d19c1c6", "--cache-dir", tmp_path)
    assert (found["path"], found["url"], found["sha256"]) == (None, card.url, card.sha256)
    assert found["licence"] == card.licence
    assert "parameters" not in found
    assert "demucs_time" in run(info, "mdx_0d19c1c6", "--cache-dir", tmp_path).output


def test_a_file_that_is_not_the_published_one_is_told(tmp_path: Path) -> None:
    card = load_model_cards()["demucs_unittest"]
    torch.save(tiny_network("demucs_v2").state_dict(), tmp_path / card.filename)
    found = facts("demucs_unittest", "--cache-dir", tmp_path)
    assert found["as_published"] is False
    assert found["parameters"] > 0
    assert found["licence"] == card.licence


def test_a_bag_names_its_members(tmp_path: Path) -> None:
    name, bag = next(iter(load_bag_cards().items()))
    found = facts(name, "--cache-dir", tmp_path)
    assert [member["name"] for member in found["members"]] == list(dict.fromkeys(bag.members))
    assert all(member["path"] is None for member in found["members"])
    assert bag.members[0] in run(info, name, "--cache-dir", tmp_path).output


def test_what_is_no_network_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "song.wav").write_bytes(b"RIFF....WAVE")
    for target, said in {
        str(tmp_path / "song.wav"): "not a file of weights",
        str(tmp_path): "unknown model",
        "hdemucs_mmj": "did you mean 'hdemucs_mmi'?",
    }.items():
        ended = typed(capsys, "models", "info", target)
        ended.check_one_line(2, said)


def test_a_damaged_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "n.safetensors"
    save_checkpoint(tiny_network("hybrid_demucs"), path, licence="CC0", training="none")
    path.write_bytes(path.read_bytes()[:-5])
    typed(capsys, "models", "info", path).check_one_line(2, "damaged or foreign")


def test_options_before_the_subcommand_are_not_ignored(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ended = typed(capsys, "models", "--json", "info", "starter")
    ended.check_one_line(2, "--json stands before 'info', expected after it")
