"""A folder of rendered songs holds the songs that were asked for, or is refused."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from streamsep.errors import ConfigError, InputError, MissingToolError, OutputError
from streamsep.synthesis.procedural import ProceduralBand
from streamsep.synthesis.sampled import tools
from streamsep.training import render
from streamsep.training.render import render_songs

if TYPE_CHECKING:
    from pathlib import Path

FILES = ["bass.flac", "drums.flac", "other.flac", "render.json", "vocals.flac"]


def rendered(out: Path, **changes: Any) -> list[Path]:
    order = {"count": 1, "duration_s": 0.5, "first_seed": 7, "band": "procedural", "jobs": 1}
    return render_songs(out, **{**order, **changes})


def dates(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def soundfont(path: Path, content: bytes = b"RIFF") -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.fixture
def no_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sampled band without the tools that it needs: the other one plays for it."""
    monkeypatch.setattr(render, "_hire", lambda *_: ProceduralBand(render.SAMPLE_RATE))


def test_songs_that_are_there_are_not_rendered_again(tmp_path: Path) -> None:
    (first,) = rendered(tmp_path)
    assert sorted(dates(first)) == FILES
    before = dates(first)
    songs = rendered(tmp_path, count=2)
    assert [song.name for song in songs] == ["procedural-7", "procedural-8"]
    assert dates(first) == before


def test_a_song_says_how_it_was_rendered(tmp_path: Path) -> None:
    (song,) = rendered(tmp_path)
    recipe = json.loads((song / "render.json").read_text("utf-8"))
    assert recipe == {
        "band": "procedural", "seed": 7, "seconds": 0.5, "sample_rate": 44_100, "soundfonts": []
    }  # fmt: skip


def test_songs_of_another_length_are_refused_before_any_is_rendered(tmp_path: Path) -> None:
    rendered(tmp_path, first_seed=8)
    with pytest.raises(
        OutputError, match=r"procedural-8.* seconds 0\.5, .* seconds 0\.25.*name an"
    ):
        rendered(tmp_path, count=2, duration_s=0.25)
    assert [path.name for path in tmp_path.iterdir()] == ["procedural-8"]


@pytest.mark.usefixtures("no_samples")
def test_songs_of_other_soundfonts_are_refused(tmp_path: Path) -> None:
    first = soundfont(tmp_path / "fonts" / "first.sf2")
    other = soundfont(tmp_path / "fonts" / "other.sf2")
    namesake = soundfont(tmp_path / "namesakes" / "first.sf2", b"RIFF another")
    moved = soundfont(tmp_path / "moved" / "first.sf2")
    out = tmp_path / "out"
    rendered(out, band="sampled", soundfonts=[first])
    for fonts in ([other], [first, other], [namesake]):
        with pytest.raises(OutputError, match=r"sampled-7.*soundfonts first\.sf2"):
            rendered(out, band="sampled", soundfonts=fonts)
    assert rendered(out, band="sampled", soundfonts=[moved]) == [out / "sampled-7"]


@pytest.mark.usefixtures("no_samples")
def test_the_default_soundfonts_that_are_installed_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fonts = [soundfont(tmp_path / "fonts" / name) for name in ("one.sf2", "two.sf2")]
    out = tmp_path / "out"
    monkeypatch.setattr(tools, "DEFAULT_SOUNDFONTS", (fonts[0], tmp_path / "missing.sf2"))
    rendered(out, band="sampled")
    monkeypatch.setattr(tools, "DEFAULT_SOUNDFONTS", fonts)
    with pytest.raises(OutputError, match=r"soundfonts one\.sf2.* soundfonts one\.sf2 .*two\.sf2"):
        rendered(out, band="sampled")


@pytest.mark.usefixtures("no_samples")
def test_songs_that_are_all_there_need_no_soundfonts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    (song,) = rendered(out, band="sampled", soundfonts=[soundfont(tmp_path / "fonts" / "one.sf2")])
    before = dates(song)
    monkeypatch.setattr(tools, "DEFAULT_SOUNDFONTS", (tmp_path / "missing.sf2",))
    assert rendered(out, band="sampled") == [song]
    assert dates(song) == before
    with pytest.raises(OutputError, match=r"seconds 0\.5, expected seconds 0\.25; remove"):
        rendered(out, band="sampled", duration_s=0.25)
    with pytest.raises(MissingToolError, match="no soundfont found"):
        rendered(out, band="sampled", count=2)


@pytest.mark.usefixtures("no_samples")
def test_a_soundfont_that_was_named_must_be_there_though_all_songs_are(tmp_path: Path) -> None:
    font = soundfont(tmp_path / "fonts" / "one.sf2")
    rendered(tmp_path / "out", band="sampled", soundfonts=[font])
    font.unlink()
    with pytest.raises(InputError, match=r"one\.sf2"):
        rendered(tmp_path / "out", band="sampled", soundfonts=[font])


def test_a_song_from_before_there_were_recipes_is_judged_by_its_length(tmp_path: Path) -> None:
    (song,) = rendered(tmp_path)
    (song / "render.json").unlink()
    before = dates(song)
    assert rendered(tmp_path) == [song]
    assert dates(song) == before
    with pytest.raises(OutputError, match="procedural-7"):
        rendered(tmp_path, duration_s=0.25)


@pytest.mark.usefixtures("no_samples")
def test_soundfonts_that_nothing_is_known_of_are_warned_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = {"band": "sampled", "soundfonts": [soundfont(tmp_path / "fonts" / "a.sf2")]}
    for song in rendered(tmp_path / "out", count=2, **options):
        (song / "render.json").unlink()
    with caplog.at_level(logging.WARNING):
        rendered(tmp_path / "out", count=2, **options)
    (message,) = caplog.messages
    assert "2 songs" in message
    assert "soundfonts" in message


@pytest.mark.parametrize("recipe", [None, "{", '{"band": "procedural"}'])
def test_a_folder_that_happens_to_have_a_songs_name_is_kept(
    tmp_path: Path, recipe: str | None
) -> None:
    mine = tmp_path / "procedural-7"
    mine.mkdir()
    (mine / "notes.txt").write_text("mine")
    if recipe is not None:
        (mine / "render.json").write_text(recipe)
    with pytest.raises(OutputError, match="procedural-7"):
        rendered(tmp_path)
    assert (mine / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 0.0, -1.0])
def test_a_length_that_no_song_can_have_is_refused(tmp_path: Path, seconds: float) -> None:
    with pytest.raises(ConfigError, match="cannot render 1 song"):
        rendered(tmp_path / "out", duration_s=seconds)
    assert not (tmp_path / "out").exists()
