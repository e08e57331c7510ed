"""`streamsep models`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch

from cli.commands import run
from streamsep.cli.models import models, torch_hub_folder
from streamsep.config import load_model_cards

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _no_torch_downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


def listed(*arguments: object, **environment: str) -> dict[str, dict[str, Any]]:
    result = run(models, "--json", *arguments, **environment)
    assert result.exit_code == 0
    return {entry["name"]: entry for entry in json.loads(result.output)}


def put_file(folder: Path, name: str) -> Path:
    """A file that has the size of a network's and takes no room."""
    card = load_model_cards()[name]
    assert card.size_bytes
    path = folder / card.filename
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(card.size_bytes)
    return path


def test_every_network_is_listed_with_its_terms(tmp_path: Path) -> None:
    entries = listed("--cache-dir", tmp_path)
    for name, card in load_model_cards().items():
        assert entries[name]["licence"] == card.licence
        assert entries[name]["sources"] == list(card.sources)
        assert (entries[name]["sdr_db"] is None) == (entries[name]["sdr_source"] is None)
        if not card.packaged:
            assert entries[name]["where"] == "download"
            assert entries[name]["size_bytes"] == card.size_bytes


def test_auto_is_the_best_official_network_when_none_is_at_hand(tmp_path: Path) -> None:
    entries = listed("--cache-dir", tmp_path)
    best = next(iter(load_model_cards()))
    assert [name for name, entry in entries.items() if entry["auto"]] == [best]


def test_auto_prefers_an_official_network_that_is_at_hand(tmp_path: Path) -> None:
    path = put_file(tmp_path / "cache", "hdemucs_high_musdb_plus")
    entries = listed("--cache-dir", tmp_path / "cache")
    assert [name for name, entry in entries.items() if entry["auto"]] == ["hdemucs_high_musdb_plus"]
    assert entries["hdemucs_high_musdb_plus"]["where"] == "cached"
    assert entries["hdemucs_high_musdb_plus"]["path"] == str(path)


def test_cache_folder_may_come_from_the_environment(tmp_path: Path) -> None:
    put_file(tmp_path, "hdemucs_mmi")
    assert listed(STREAMSEP_CACHE_DIR=str(tmp_path))["hdemucs_mmi"]["where"] == "cached"


def test_networks_in_torchs_cache_are_found(tmp_path: Path) -> None:
    put_file(tmp_path / "torch" / "hub" / "torchaudio" / "models", "hdemucs_high_musdb")
    entries = listed("--cache-dir", tmp_path / "empty")
    assert entries["hdemucs_high_musdb"]["where"] == "cached"


def test_table_names_the_choice_of_auto_and_what_happens_offline(tmp_path: Path) -> None:
    result = run(models, "--cache-dir", tmp_path)
    best, card = next(iter(load_model_cards().items()))
    assert result.exit_code == 0
    assert "← auto" in result.output
    assert f"'auto' will download {best}" in result.output
    assert card.description in result.output
    put_file(tmp_path, best)
    assert "will download" not in run(models, "--cache-dir", tmp_path).output


@pytest.mark.parametrize("home", [None, "~/there"])
@pytest.mark.parametrize("caches", [None, "/caches"])
def test_torchs_cache_is_where_torch_says(
    home: str | None, caches: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"TORCH_HOME": home, "XDG_CACHE_HOME": caches}.items():
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert str(torch_hub_folder()) == torch.hub.get_dir()
