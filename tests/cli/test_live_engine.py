"""What `streamsep live` makes of an engine that runs already, and what starts one of its own."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from streamsep.cli import live_engine
from streamsep.cli.live_engine import OwnEngine, check_engine, engine_command
from streamsep.cli.loading import obtain_with_progress
from streamsep.config import load_model_cards
from streamsep.config.live import LiveConfig
from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

ENDPOINTS = SimpleNamespace(control="ipc://unused")


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Says what the engine that runs answers."""

    def run(model: str, preset: str = "live") -> None:
        status = {"model": model, "preset": preset}
        monkeypatch.setattr(live_engine, "ask_engine", lambda *_, **__: status)

    return run


def keeper(command: list[str] | None = None) -> SimpleNamespace:
    """Of somebody else's engine."""
    return SimpleNamespace(command=command, starts=0)


def checked(asked: str, **settings: object) -> tuple[list[str], str]:
    """The command that would replace the engine that runs, and the remark on it."""
    kept = keeper(["some", "command"])
    check_engine(kept, LiveConfig(model=asked, **settings), OwnEngine("cpu"), ENDPOINTS, None)
    return kept.command, kept.remark


def value_of(option: str, command: list[str]) -> str:
    return command[command.index(option) + 1]


@pytest.mark.parametrize(
    ("asked", "model"),
    [
        ("auto", "hdemucs_mmi"),
        ("hdemucs_mmi", "hdemucs_mmi"),
        ("weights/mine.safetensors", "mine"),
        ("runs/calm/network.safetensors", "calm"),
    ],
)
def test_an_engine_with_the_network_that_was_asked_for_is_taken(
    asked: str, model: str, running: Callable[..., None]
) -> None:
    running(model)
    check_engine(keeper(), LiveConfig(model=asked), OwnEngine("cpu"), ENDPOINTS, None)
    if asked != "auto":
        running("another")
        with pytest.raises(ConfigError, match="has the network 'another'"):
            check_engine(keeper(), LiveConfig(model=asked), OwnEngine("cpu"), ENDPOINTS, None)


def test_an_engine_with_a_bag_that_has_a_name_of_its_own_is_taken(
    running: Callable[..., None], tmp_path: Path
) -> None:
    bag = tmp_path / "my_bag.yaml"
    bag.write_text("name: both\nmembers: [starter]\n")
    running("both")
    command, remark = checked(str(bag))
    assert (value_of("--model", command), remark) == (str(bag), "")


def test_an_engine_like_the_one_that_runs_replaces_it(running: Callable[..., None]) -> None:
    running("starter", "studio")
    command, remark = checked("auto")
    assert (value_of("--model", command), value_of("--preset", command)) == ("starter", "studio")
    assert "--allow-late" in command
    assert remark == ""


def test_what_the_engine_that_runs_has_from_files_does_not_keep_another_from_starting(
    running: Callable[..., None],
) -> None:
    running("mine", "slow")
    command, remark = checked("auto")
    assert (value_of("--model", command), value_of("--preset", command)) == ("auto", "live")
    assert "its network 'mine' was from a file: 'auto' instead, as --model names none" in remark
    assert "its preset 'slow' was from a file: 'live' instead, as --preset names none" in remark
    command, remark = checked("mine.safetensors", preset="slow.yaml")
    assert value_of("--model", command) == "mine.safetensors"
    assert value_of("--preset", command) == "slow.yaml"
    assert remark == ""


def test_networks_are_looked_for_where_the_engine_will_look(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    best = next(card for card in load_model_cards().values() if card.official)
    cache = tmp_path / "cache"
    cache.mkdir()
    with (cache / best.filename).open("wb") as file:
        file.truncate(best.size_bytes)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    assert obtain_with_progress("auto", cache) == best.name
    command = engine_command(LiveConfig(model="auto"), OwnEngine("cpu", cache))
    assert Path(value_of("--cache-dir", command)) == cache
