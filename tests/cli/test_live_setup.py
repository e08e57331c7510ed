"""What `streamsep live` makes of an engine that runs already."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from streamsep.cli import live_setup
from streamsep.config.live import LiveConfig
from streamsep.errors import ConfigError


@pytest.mark.parametrize(
    ("asked", "running"),
    [
        ("auto", "hdemucs_mmi"),
        ("hdemucs_mmi", "hdemucs_mmi"),
        ("weights/mine.safetensors", "mine"),
        ("runs/calm/network.safetensors", "calm"),
    ],
)
def test_an_engine_with_the_network_that_was_asked_for_is_taken(
    asked: str, running: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_setup, "ask_engine", lambda *_, **__: {"model": running})
    endpoints = SimpleNamespace(control="ipc://unused")
    keeper = SimpleNamespace(command=None)
    live_setup.check_engine(keeper, LiveConfig(model=asked), "cpu", endpoints, None)
    if asked != "auto":
        monkeypatch.setattr(live_setup, "ask_engine", lambda *_, **__: {"model": "another"})
        with pytest.raises(ConfigError, match="has the network 'another'"):
            live_setup.check_engine(keeper, LiveConfig(model=asked), "cpu", endpoints, None)
