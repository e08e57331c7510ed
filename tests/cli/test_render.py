"""`streamsep render`: thin over `render_songs`, which has tests of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cli.commands import run
from streamsep.cli.render import render
from streamsep.errors import ConfigError
from streamsep.training import render as rendering


@pytest.fixture
def orders(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What would have been rendered."""
    seen: list[dict[str, Any]] = []

    def render_songs(out: Path, **order: Any) -> list[Path]:
        seen.append({"out": out, **order})
        return [out / str(i) for i in range(order["count"])]

    monkeypatch.setattr(rendering, "render_songs", render_songs)
    return seen


def test_options_reach_the_renderer(orders: list[dict[str, Any]]) -> None:
    options = ["--count", 3, "--seconds", 12.5, "--first-seed", 70, "-j", 2]
    fonts = ["--band", "sampled", "--soundfont", "a.sf2", "--soundfont", "b.sf2"]
    result = run(render, "songs", *options, *fonts)
    assert result.exit_code == 0
    assert "3 songs in songs" in result.output
    assert orders == [
        {
            "out": Path("songs"),
            "count": 3,
            "duration_s": 12.5,
            "first_seed": 70,
            "band": "sampled",
            "soundfonts": [Path("a.sf2"), Path("b.sf2")],
            "jobs": 2,
        }
    ]


def test_the_procedural_band_plays_on_all_cores_by_default(orders: list[dict[str, Any]]) -> None:
    assert run(render, "songs").exit_code == 0
    (order,) = orders
    assert (order["band"], order["soundfonts"]) == ("procedural", None)
    assert order["jobs"] >= 1


@pytest.mark.parametrize(
    "options",
    [
        ["--count", 0],
        ["--seconds", 0],
        ["--seconds", "nan"],
        ["--seconds", "inf"],
        ["--seconds", "1e12"],
        ["-j", 0],
        ["--first-seed", -1],
        ["--band", "brass"],
    ],
)
def test_impossible_numbers_are_refused(
    options: list[object], orders: list[dict[str, Any]]
) -> None:
    assert run(render, "songs", *options).exit_code == 2
    assert not orders


def test_a_soundfont_for_the_procedural_band_is_refused(orders: list[dict[str, Any]]) -> None:
    assert isinstance(run(render, "songs", "--soundfont", "a.sf2").exception, ConfigError)
    assert not orders
