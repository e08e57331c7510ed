"""What is heard of songs whose tempo, beats and key are known."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from click_songs import RATE, ClickSong, bass_line, drum_beats
from support import require

from streamsep.errors import InputError, MissingToolError
from streamsep.files import find_tracks
from streamsep.training.remixing.analysis import (
    SongAnalysis,
    analyse,
    bass_chroma,
    beat_period,
    find_beats,
)
from streamsep.training.remixing.matching import semitones_between

STEMS = ("drums", "bass", "other", "vocals")
BEATS = np.arange(0.2, 7.5, 0.5)
LENGTH = 8 * RATE


@pytest.fixture(autouse=True)
def librosa():
    try:
        import librosa  # noqa: F401
    except ImportError:
        require(False, "librosa is not installed: the extra 'training'")


def heard(folder) -> SongAnalysis:
    (track,) = find_tracks(folder, STEMS, RATE, 2)
    return analyse(track, STEMS, RATE)


@pytest.mark.parametrize("bpm", [84.0, 97.3, 120.0, 143.0])
def test_tempo_and_beats_are_found(bpm):
    clicks = ClickSong(bpm=bpm, first_s=0.3, seconds=16.0).beats
    beats = find_beats(drum_beats(clicks, 16 * RATE), RATE)
    assert beat_period(beats) == pytest.approx(60 / bpm, rel=1e-3)
    late = np.array([beat - clicks[np.abs(clicks - beat).argmin()] for beat in beats])
    # The tracker is late by most of a frame, but by the same time everywhere.
    assert np.abs(late).max() < 0.02
    assert np.ptp(late) < 0.0125


def test_missing_beats_do_not_change_the_period():
    beats = np.delete(np.arange(40) * 0.517, [3, 4, 11, 30])
    assert beat_period(beats) == pytest.approx(0.517, rel=1e-9)


def test_a_few_beats_out_of_place_do_not_change_the_period():
    beats = 1.0 + np.arange(40) * 0.517
    beats[:3] -= 0.12
    beats[36:] += 0.08
    assert beat_period(beats) == pytest.approx(0.517, rel=1e-4)


@pytest.mark.parametrize("up", [-5, -2, 3, 6])
def test_a_transposed_bass_is_recognised(up):
    here, there = (bass_chroma(bass_line(BEATS, LENGTH, 36 + key), RATE) for key in (0, up))
    assert here.shape == (12,)
    assert here.sum() == pytest.approx(1.0, abs=1e-5)
    assert semitones_between(tuple(there), tuple(here)) == up


def test_only_where_the_bass_plays_its_notes_count():
    line = bass_line(BEATS, LENGTH, 36)
    # Soft tones a tritone away, in a rest that is longer than the music.
    hiss = 0.01 * bass_line(np.arange(0.2, 15.5, 0.5), 16 * RATE, 42)
    with_rest = np.concatenate([line, hiss])
    difference = np.abs(bass_chroma(with_rest, RATE) - bass_chroma(line, RATE))
    assert difference.max() < 0.01


def test_a_bass_without_overtones_is_heard():
    sine = 0.3 * np.sin(2 * np.pi * 55.0 * np.arange(LENGTH) / RATE).astype(np.float32)
    assert int(bass_chroma(sine, RATE).argmax()) == 9  # A


def test_silence_before_the_song_is_left_out(tmp_path):
    song = ClickSong(silence_s=1.5, first_s=0.25, seconds=8.0)
    song.write(tmp_path / "song")
    analysis = heard(tmp_path)
    assert analysis.start / RATE == pytest.approx(1.75, abs=0.001)
    assert analysis.start + analysis.length == int(9.5 * RATE)
    clicks = song.beats - 1.75
    assert all(np.abs(clicks - beat).min() < 0.025 for beat in analysis.beats)
    assert analysis.sounding == STEMS


def test_silent_stems_are_noticed(tmp_path):
    ClickSong(seconds=6.0, silent=("drums", "bass")).write(tmp_path / "song")
    analysis = heard(tmp_path)
    assert analysis.sounding == ("other", "vocals")
    assert (analysis.beats, analysis.period_s, analysis.chroma) == ((), 0.0, ())


@pytest.mark.parametrize("seconds", [0.01, 0.5, 2.0])
def test_a_short_song_has_no_beats(tmp_path, seconds):
    ClickSong(first_s=0.0, seconds=seconds).write(tmp_path / "song")
    assert heard(tmp_path).beats == ()


def test_a_damaged_stem_is_named(tmp_path):
    song = ClickSong(seconds=6.0).write(tmp_path / "song")
    path = song / "other.flac"
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"other\.flac' cannot be read"):
        heard(tmp_path)


def test_without_librosa_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "librosa", None)
    with pytest.raises(MissingToolError, match=r"librosa.*uv sync .*--extra training"):
        find_beats(drum_beats(BEATS, LENGTH), RATE)
