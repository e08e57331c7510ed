"""`streamsep presets`."""

from __future__ import annotations

import json

import pytest

from cli.commands import run
from streamsep.cli.presets import presets
from streamsep.config import load_presets


def test_table_has_a_row_for_every_preset() -> None:
    result = run(presets)
    assert result.exit_code == 0
    for preset in load_presets().values():
        assert preset.name in result.output
        assert str(preset.latency) in result.output
        assert preset.use in result.output


def test_json_tells_latency_in_samples_and_milliseconds() -> None:
    listed = json.loads(run(presets, "--json").output)
    assert [entry["name"] for entry in listed] == list(load_presets())
    for entry in listed:
        assert entry["latency"] == entry["hop"] + entry["look_ahead"]
        assert entry["latency_ms"] == pytest.approx(entry["latency"] / 44.1, abs=0.05)
        assert entry["segment"] == entry["context"] + entry["hop"] + entry["look_ahead"]
        assert entry["passes"] == pytest.approx(entry["segment"] / entry["hop"], abs=0.005)
