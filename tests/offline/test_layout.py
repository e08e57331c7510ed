"""Where stems go, and that no two of them go to the same place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamsep.errors import ConfigError
from streamsep.files import FoundAudio
from streamsep.offline import DEFAULT_TEMPLATE, OutputLayout
from streamsep.offline.layout import track_names

OUT = Path("separated")


def place(template: str, track: str = "song", source: str = "songs/song.flac") -> Path:
    layout = OutputLayout(OUT, "hdemucs", template)
    return layout.stem_path(Path(track), Path(source), "vocals", "wav")


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (DEFAULT_TEMPLATE, "song/vocals.wav"),
        ("{track}-{stem}.{ext}", "song-vocals.wav"),
        ("{stem}/{track}.{trackext}.{ext}", "vocals/song.flac.wav"),
        ("{{{stem}}}.{ext}", "{vocals}.wav"),
    ],
)
def test_a_template_names_the_file_below_the_model(template: str, expected: str) -> None:
    assert place(template) == OUT / "hdemucs" / expected


def test_tracks_keep_the_folders_they_lay_in() -> None:
    assert place(DEFAULT_TEMPLATE, "live/1999/song") == OUT / "hdemucs/live/1999/song/vocals.wav"


def test_names_with_braces_are_only_names() -> None:
    assert place(DEFAULT_TEMPLATE, "{stem} {0}") == OUT / "hdemucs" / "{stem} {0}" / "vocals.wav"


@pytest.mark.parametrize(
    "template", ["{stam}", "{}", "{0}", "{stem", "{stem!z}", "{stem:d}", "{stem.x}", "{stem[x]}"]
)
def test_a_template_that_cannot_be_filled_in_says_what_it_may_hold(template: str) -> None:
    with pytest.raises(ConfigError, match=r"use \{track\}, \{trackext\}, \{stem\} and \{ext\}"):
        OutputLayout(OUT, "hdemucs", template)


@pytest.mark.parametrize("template", ["", "{track}.{ext}", "{stem:.0}{track}"])
def test_a_template_must_tell_stems_apart(template: str) -> None:
    with pytest.raises(ConfigError, match=r"add \{stem\}"):
        OutputLayout(OUT, "hdemucs", template)


def names(*relatives: str) -> list[str]:
    return [str(name) for name in track_names([FoundAudio(Path(r), Path(r)) for r in relatives])]


def test_a_track_is_called_by_its_file_without_extension() -> None:
    assert names("a.wav", "b/c.d.flac", "e") == ["a", "b/c.d", "e"]


def test_tracks_that_would_share_a_name_keep_their_extension() -> None:
    assert names("a.wav", "a.flac", "b.wav") == ["a.wav", "a.flac", "b"]


def test_doubles_are_numbered_without_taking_a_name_that_is_there() -> None:
    assert names("a.wav", "a.wav", "a.wav-2.ogg") == ["a.wav", "a.wav-2", "a.wav-2-2"]


def test_no_name_climbs_out_of_the_folder() -> None:
    assert names("...wav", "..wav", ".wav") == ["...wav", "..wav", ".wav"]


file_names = st.text("a.-2", min_size=1, max_size=6).filter(lambda name: name.strip("."))


@given(st.lists(st.tuples(st.sampled_from(["", "a", "a/b"]), file_names), max_size=12))
def test_names_are_always_different(files: list[tuple[str, str]]) -> None:
    found = [FoundAudio(Path(name), Path(folder) / name) for folder, name in files]
    tracks = track_names(found)
    assert len(set(tracks)) == len(tracks) == len(files)
    assert all(
        track.parent == audio.relative.parent for track, audio in zip(tracks, found, strict=True)
    )
