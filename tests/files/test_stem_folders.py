"""Folders of songs are found, and what is wrong with them is said in one line."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from streamsep.errors import ConfigError, InputError
from streamsep.files import TrackFolder, find_tracks

if TYPE_CHECKING:
    from pathlib import Path

RATE = 44_100
STEMS = ("drums", "bass", "other", "vocals")


def write_song(
    folder: Path,
    names: tuple[str, ...] = STEMS,
    *,
    suffix: str = ".wav",
    length: int = 3_000,
    rate: int = RATE,
    channels: int = 2,
) -> Path:
    """A folder of noise."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in names:
        noise = 0.1 * rng.standard_normal((length, channels))
        soundfile.write(folder / f"{name}{suffix}", noise, rate)
    return folder


def found(folder: Path, **options) -> list[TrackFolder]:
    return find_tracks(folder, STEMS, RATE, 2, **options)


def refusal(folder: Path, **options) -> str:
    """The one line that says what is wrong."""
    with pytest.raises(InputError) as caught:
        found(folder, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


# What is found


def test_songs_come_in_the_order_of_their_names_and_stems_in_that_of_the_sources(tmp_path):
    for name in ("b", "c", "a"):
        write_song(tmp_path / name, suffix=".flac" if name == "b" else ".wav")
    tracks = found(tmp_path)
    assert [track.name for track in tracks] == ["a", "b", "c"]
    assert [path.name for path in tracks[0].stems] == [f"{stem}.wav" for stem in STEMS]
    assert [path.name for path in tracks[1].stems] == [f"{stem}.flac" for stem in STEMS]


def test_what_is_no_song_is_left_alone(tmp_path):
    write_song(tmp_path / "song")
    (tmp_path / "notes.txt").write_text("not a song")
    (tmp_path / "artwork").mkdir()
    (tmp_path / "artwork" / "drums.jpg").write_bytes(b"a picture of them")
    write_song(tmp_path / "loops", ("loop-1", "loop-2"))
    write_song(tmp_path / ".trash")
    assert [track.name for track in found(tmp_path)] == ["song"]


def test_a_wav_is_taken_before_a_flac_and_capital_suffixes_count(tmp_path):
    song = write_song(tmp_path / "song", suffix=".flac")
    write_song(tmp_path / "wav")
    (tmp_path / "wav" / "bass.wav").rename(song / "bass.wav")
    (song / "other.flac").rename(song / "other.FLAC")
    for stem in STEMS:
        (tmp_path / "wav" / f"{stem}.wav").unlink(missing_ok=True)
    names = [path.name for path in found(tmp_path)[0].stems]
    assert names == ["drums.flac", "bass.wav", "other.FLAC", "vocals.flac"]


def test_a_song_is_as_long_as_its_shortest_stem(tmp_path):
    song = write_song(tmp_path / "song", length=5_000)
    soundfile.write(song / "bass.wav", np.zeros((3_000, 2)), RATE)
    assert found(tmp_path)[0].length == 3_000


def test_stems_may_have_other_names(tmp_path):
    write_song(tmp_path / "song", ("Drums", "bass", "accompaniment.2", "vox"))
    names = {"drums": "Drums", "other": "accompaniment.2", "vocals": "vox"}
    stems = found(tmp_path, stem_names=names)[0].stems
    assert [path.stem for path in stems] == ["Drums", "bass", "accompaniment.2", "vox"]


def test_a_subset_is_a_folder_of_its_own_where_there_is_one(tmp_path):
    for subset in ("train", "test"):
        write_song(tmp_path / "musdb18hq" / subset / f"{subset} song", ("mixture", *STEMS))
    for subset in ("train", "test"):
        songs = found(tmp_path / "musdb18hq", subset=subset)
        assert [song.name for song in songs] == [f"{subset} song"]
    plain = write_song(tmp_path / "plain" / "song").parent
    assert [song.name for song in found(plain, subset="train")] == ["song"]
    write_song(plain / "train")
    assert [song.name for song in found(plain, subset="train")] == ["song", "train"]


# What is refused


def test_a_song_without_a_stem_is_refused_with_what_it_holds(tmp_path):
    write_song(tmp_path / "whole")
    write_song(tmp_path / "incomplete", ("drums", "bass", "mixture"))
    message = refusal(tmp_path)
    assert "incomplete' has no other.wav or other.flac: it holds bass.wav, drums.wav" in message


@pytest.mark.parametrize(
    ("name", "suffix"), [("vocal", ".wav"), ("Vocals", ".wav"), ("Vox", ".wav"), ("vocals", ".mp3")]
)
def test_a_misnamed_stem_is_recognised(tmp_path, name, suffix):
    song = write_song(tmp_path / "song", STEMS[:3])
    (song / f"{name}{suffix}").write_bytes(b"some sound")
    assert f"no vocals.wav or vocals.flac (is it '{name}{suffix}'?)" in refusal(tmp_path)


def test_stems_of_which_all_have_another_form_are_refused(tmp_path):
    write_song(tmp_path / "whole")
    song = tmp_path / "song"
    song.mkdir()
    for stem in STEMS:
        (song / f"{stem}.m4a").write_bytes(b"some sound")
    assert "no drums.wav or drums.flac (is it 'drums.m4a'?)" in refusal(tmp_path)


def test_unknown_names_are_listed_where_there_is_no_song(tmp_path):
    write_song(tmp_path / "song", ("kick", "synth"))
    message = refusal(tmp_path)
    assert "no folder with the stems drums, bass, other, vocals" in message
    assert "'song' holds kick.wav, synth.wav; rename the files, or say in 'stem_names'" in message


def test_a_song_in_place_of_a_folder_of_songs_is_recognised(tmp_path):
    song = write_song(tmp_path / "song")
    assert f"it is a song itself; give '{tmp_path}'" in refusal(song)


def test_songs_that_lie_deeper_are_pointed_to(tmp_path):
    write_song(tmp_path / "train" / "song")
    assert f"give '{tmp_path / 'train'}'" in refusal(tmp_path)


def test_an_empty_folder_and_none_are_refused(tmp_path):
    assert "make songs with 'streamsep render'" in refusal(tmp_path)
    assert "is no folder" in refusal(tmp_path / "missing")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"rate": 48_000}, "got 48000 Hz and 2 channels, expected 44100 Hz and 2"),
        ({"channels": 1}, "got 44100 Hz and 1 channels, expected 44100 Hz and 2"),
        ({"length": 0}, "holds no samples"),
    ],
)
def test_a_stem_that_does_not_fit_is_refused(tmp_path, changes, expected):
    song = write_song(tmp_path / "song", ("drums", "bass", "vocals"))
    write_song(tmp_path / "elsewhere", ("other",), **changes)
    (tmp_path / "elsewhere" / "other.wav").rename(song / "other.wav")
    message = refusal(tmp_path)
    assert "other.wav'" in message
    assert expected in message


@pytest.mark.parametrize("content", [b"", b"this is no sound at all"])
def test_a_stem_that_is_no_audio_is_refused(tmp_path, content):
    song = write_song(tmp_path / "song")
    (song / "other.wav").write_bytes(content)
    assert "other.wav' cannot be read as audio" in refusal(tmp_path)


def test_a_truncated_wav_is_refused(tmp_path):
    stem = write_song(tmp_path / "song") / "vocals.wav"
    stem.write_bytes(stem.read_bytes()[:5_000])
    assert "vocals.wav' is truncated" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"voice": "vox"}, "a name for 'voice', which is no stem; expected drums, bass"),
        ({"vocals": "other"}, "'other' for two stems"),
    ],
)
def test_stem_names_must_name_a_file_for_each_stem(tmp_path, names, expected):
    write_song(tmp_path / "song")
    with pytest.raises(ConfigError, match=expected):
        found(tmp_path, stem_names=names)


def test_stems_that_end_far_apart_are_reported(tmp_path, caplog):
    song = write_song(tmp_path / "song", length=3_000)
    soundfile.write(song / "bass.wav", np.zeros((3_000 + RATE, 2)), RATE)
    with caplog.at_level(logging.WARNING):
        found(tmp_path)
        assert caplog.messages == []
        soundfile.write(song / "bass.wav", np.zeros((3_001 + RATE, 2)), RATE)
        assert found(tmp_path)[0].length == 3_000
    [message] = caplog.messages
    assert "from 'drums.wav' with 3000 samples to 'bass.wav' with 47101" in message


# What is read


@pytest.fixture(scope="module")
def songs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("songs")
    write_song(folder / "flac", suffix=".flac", length=9_000)
    write_song(folder / "wav", length=9_000)
    return folder


@pytest.mark.parametrize("song", [0, 1], ids=["flac", "wav"])
@settings(max_examples=25)
@given(stem=st.integers(0, 3), start=st.integers(0, 12_000), length=st.integers(1, 12_000))
def test_reading_is_a_slice_of_the_song_with_silence_after_it(songs, song, stem, start, length):
    track = found(songs)[song]
    whole, _ = soundfile.read(track.stems[stem], dtype="float32")
    endless = torch.from_numpy(np.concatenate([whole, np.zeros((24_000, 2), np.float32)]).T.copy())
    audio = track.read(stem, start, length)
    assert audio.dtype == torch.float32
    assert torch.equal(audio, endless[:, start : start + length])


def test_all_stems_end_with_the_shortest(tmp_path):
    song = write_song(tmp_path / "song", length=1_000)
    soundfile.write(song / "bass.wav", np.full((2_000, 2), 0.5), RATE)
    bass = found(tmp_path)[0].read(1, 0, 1_500)
    assert (bass[:, :1_000] == 0.5).all()
    assert not bass[:, 1_000:].any()


def damage(path: Path) -> None:
    """Make the second half of a file unreadable without changing its size."""
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 8_000] = bytes(8_000)
    path.write_bytes(content)


def test_damage_is_noticed_where_it_lies(tmp_path):
    write_song(tmp_path / "song", suffix=".flac", length=30_000)
    track = found(tmp_path)[0]
    before = track.read(1, 0, 4_000)
    damage(track.stems[1])
    assert torch.equal(track.read(1, 0, 4_000), before)
    for start, length in ((14_000, 2_000), (4_000, 20_000)):
        with pytest.raises(InputError, match=r"bass\.flac' cannot be read from sample \d+ on"):
            track.read(1, start, length)


@pytest.mark.parametrize("start", [0, 2_500])
def test_a_file_that_has_become_shorter_is_noticed(tmp_path, start):
    song = write_song(tmp_path / "song")
    track = found(tmp_path)[0]
    soundfile.write(song / "bass.wav", np.zeros((2_000, 2)), RATE)
    assert not track.read(1, 0, 2_000).any()
    with pytest.raises(InputError, match=r"bass\.wav' (is truncated|cannot be read)"):
        track.read(1, start, 3_000)


def test_a_file_that_is_gone_is_noticed(tmp_path):
    song = write_song(tmp_path / "song")
    track = found(tmp_path)[0]
    (song / "bass.wav").unlink()
    with pytest.raises(InputError, match=r"bass\.wav' cannot be read"):
        track.read(1, 0, 10)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_not_finite_are_noticed(tmp_path, value):
    song = write_song(tmp_path / "song")
    noise = np.zeros((3_000, 2), np.float32)
    noise[2_000, 1] = value
    soundfile.write(song / "bass.wav", noise, RATE, subtype="FLOAT")
    track = found(tmp_path)[0]
    assert not track.read(1, 0, 2_000).any()
    with pytest.raises(InputError, match=r"bass\.wav' holds samples that are NaN or infinite"):
        track.read(1, 1_000, 2_000)
