"""Where stems go, and that no two of them go to the same place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamsep.errors import ConfigError
from streamsep.files import FoundAudio
from streamsep.offline import DEFAULT_TEMPLATE, OutputLayout
from streamsep.offline.layout import alike, track_names

if TYPE_CHECKING:
    from random import Random

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


def below(*arguments: str) -> list[FoundAudio]:
    """What is found in folders: `m/one|live/song.wav` lies in `live` of the argument `m/one`."""
    split = [argument.split("|") for argument in arguments]
    return [FoundAudio(Path(folder) / relative, Path(relative)) for folder, relative in split]


def names_below(*arguments: str) -> list[str]:
    return [str(name) for name in track_names(below(*arguments))]


def test_doubles_of_different_folders_are_told_apart_by_those() -> None:
    assert names_below("m/one|a.wav", "m/two|a.wav", "m/two|b.wav") == ["one/a", "two/a", "b"]
    assert names_below("m/one|live/a.wav", "two|live/a.flac") == ["one/live/a", "two/live/a"]
    assert names_below("m/one|a.wav", "m/one|a.flac", "m/two|a.wav") == [
        "one/a.wav",
        "one/a.flac",
        "two/a",
    ]


def test_doubles_take_as_many_folders_as_tell_them_apart() -> None:
    assert names_below("m/x/best|a.wav", "m/y/best|a.wav", "m/hits|a.wav") == [
        "x/best/a",
        "y/best/a",
        "hits/a",
    ]
    assert names_below("m/one|a.wav", "n|a.wav", "p|one/a.wav") == ["m/one/a", "n/a", "p/one/a"]


def test_another_album_leaves_doubles_their_names() -> None:
    before = names_below("m/one|a.wav", "m/three|a.wav")
    after = names_below("m/two|a.wav", "m/three|a.wav", "m/one|a.wav")
    assert before == ["one/a", "three/a"]
    assert after == ["two/a", "three/a", "one/a"]


@pytest.mark.parametrize(("one", "other"), [("Song", "song"), ("\u00e9", "e\u0301"), ("ß", "SS")])
def test_names_that_some_disks_do_not_tell_apart_are_different(one: str, other: str) -> None:
    assert names_below(f"m/one|{one}.wav", f"m/two|{other}.wav") == [f"one/{one}", f"two/{other}"]
    first, second = track_names(below(f"m|{one}.wav", f"m|{other}.wav"))
    assert alike(first) != alike(second)


def test_no_name_climbs_out_of_the_folder() -> None:
    assert names("...wav", "..wav", ".wav") == ["...wav", "..wav", ".wav"]


file_names = st.text("aA.-2", min_size=1, max_size=6).filter(lambda name: name.strip("."))


found_files = st.builds(
    lambda argument, folder, name: FoundAudio(Path(argument, folder, name), Path(folder, name)),
    st.sampled_from(["/m/one", "/m/two", "/n/one", "/n/One", "/m", "/"]),
    st.sampled_from(["", "a", "a/b", "one"]),
    file_names,
)


@given(st.lists(found_files, max_size=12), st.randoms())
def test_names_are_always_different_whatever_the_order(
    found: list[FoundAudio], random: Random
) -> None:
    tracks = track_names(found)
    assert len({alike(track) for track in tracks}) == len(tracks) == len(found)
    for track, audio in zip(tracks, found, strict=True):
        folders = audio.relative.parent.parts
        assert track.parent.parts[len(track.parent.parts) - len(folders) :] == folders
    mixed = random.sample(found, len(found))
    named = zip(track_names(mixed), [audio.path for audio in mixed], strict=True)
    assert sorted(named) == sorted(zip(tracks, [audio.path for audio in found], strict=True))
