"""`streamsep remix`: thin over `remix_songs`, which has tests of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cli.commands import run
from streamsep.cli.remix import remix
from streamsep.errors import ConfigError, InputError
from streamsep.training import remixing
from streamsep.training.remixing import Remixes, RemixSettings


@pytest.fixture
def orders(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What would have been made."""
    seen: list[dict[str, Any]] = []

    def remix_songs(data: Path, out: Path, **order: Any) -> Remixes:
        seen.append({"data": data, "out": out, **order})
        return Remixes([out / "a", out / "b"], hosts=1, songs=3)

    monkeypatch.setattr(remixing, "remix_songs", remix_songs)
    return seen


def test_options_reach_the_remixer(orders: list[dict[str, Any]]) -> None:
    limits = ["--max-semitones", 2, "--max-tempo", 0.1]
    counts = ["--copies", 2, "--seed", 7, "-j", 3, "--validation-share", 0.2]
    names = ["--stem-name", "other=accompaniment", "--stem-name", "vocals=vox"]
    result = run(remix, "songs", "remixes", *counts, *limits, *names)
    assert result.exit_code == 0
    assert "2 remixes of 1 of 3 songs in remixes" in result.output
    assert orders == [
        {
            "data": Path("songs"),
            "out": Path("remixes"),
            "copies": 2,
            "settings": RemixSettings(seed=7, max_semitones=2, max_tempo=0.1),
            "jobs": 3,
            "validation_share": 0.2,
            "stem_names": {"other": "accompaniment", "vocals": "vox"},
        }
    ]


def test_the_published_limits_are_the_default(orders: list[dict[str, Any]]) -> None:
    assert run(remix, "songs", "remixes").exit_code == 0
    (order,) = orders
    assert order["copies"] == 6
    assert order["settings"] == RemixSettings(seed=0, max_semitones=3, max_tempo=0.15)
    assert order["jobs"] >= 1
    assert order["validation_share"] == 0.0
    assert order["stem_names"] == {}


@pytest.mark.parametrize(
    "options",
    [
        ["--copies", 0],
        ["--seed", -1],
        ["-j", 0],
        ["--max-semitones", 7],
        ["--max-tempo", -0.1],
        ["--max-tempo", 15],
        ["--max-tempo", "nan"],
        ["--max-tempo", "inf"],
        ["--validation-share", 1.0],
        ["--validation-share", "nan"],
        ["--validation-share", "inf"],
    ],
)
def test_impossible_numbers_are_refused(
    options: list[object], orders: list[dict[str, Any]]
) -> None:
    assert run(remix, "songs", "remixes", *options).exit_code == 2
    assert not orders


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["other"], "--stem-name 'other': expected a stem and what its files are called"),
        (["=music"], "--stem-name '=music'"),
        (["other="], "--stem-name 'other='"),
        (["other=../music"], "--stem-name 'other=../music'"),
        (["other=a", "other=b"], "got 'a' and 'b' for other, expected one of them"),
    ],
)
def test_names_that_are_none_are_refused(
    names: list[str], said: str, orders: list[dict[str, Any]]
) -> None:
    options = [word for name in names for word in ("--stem-name", name)]
    error = run(remix, "songs", "remixes", *options).exception
    assert isinstance(error, ConfigError)
    assert said in str(error)
    assert not orders


def test_a_stem_that_is_called_something_else_is_said_by_an_option(tmp_path: Path) -> None:
    song = tmp_path / "songs" / "song"
    song.mkdir(parents=True)
    for stem in ("drums", "bass", "vocals", "music"):
        (song / f"{stem}.wav").touch()
    error = run(remix, song.parent, tmp_path / "remixes").exception
    assert "say with --stem-name STEM=NAME what it is called" in str(error)
    # With it the song is found, and found to be empty.
    options = ["--stem-name", "other=music"]
    error = run(remix, song.parent, tmp_path / "remixes", *options).exception
    assert isinstance(error, InputError)
    assert "cannot be read as audio" in str(error)
    options = ["--stem-name", "rest=music"]
    error = run(remix, song.parent, tmp_path / "remixes", *options).exception
    assert "which is no stem; expected drums, bass, other, vocals with --stem-name" in str(error)


def test_a_folder_without_songs_is_an_input_error(tmp_path: Path) -> None:
    error = run(remix, tmp_path, tmp_path / "remixes").exception
    assert isinstance(error, InputError)
    assert "no folder with the stems drums, bass, other, vocals" in str(error)
    assert not (tmp_path / "remixes").exists()
