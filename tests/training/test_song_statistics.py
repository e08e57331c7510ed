"""Songs are measured once, for as long as their files stay as they are."""

from __future__ import annotations

import logging
import os

import numpy as np
import pytest
import soundfile
import torch
from tiny_run import STEMS, write_song

from streamsep.files import TrackFolder, find_tracks
from streamsep.training.dataset.song_statistics import SongStatistics

RATE = 44_100


@pytest.fixture
def songs(tmp_path):
    for seed in range(2):
        write_song(tmp_path / "songs" / f"song-{seed}", seed=seed)
    return tmp_path / "songs"


@pytest.fixture
def tracks(songs):
    return find_tracks(songs, STEMS, RATE, 2)


@pytest.fixture
def readings(monkeypatch) -> list[str]:
    """The names of songs, once for every time that samples of one were read."""
    names = []
    read = TrackFolder.read

    def watched(self, stem, start, length):
        names.append(self.name)
        return read(self, stem, start, length)

    monkeypatch.setattr(TrackFolder, "read", watched)
    return names


def test_the_measure_is_that_of_the_mono_sum_of_the_stems(tracks, tmp_path):
    for track, song in zip(tracks, SongStatistics(tmp_path / "memory").of(tracks), strict=True):
        stems = torch.stack([track.read(stem, 0, track.length) for stem in range(4)])
        mono = stems.sum(0).mean(0).double()
        assert song.frames == track.length
        assert song.mean == pytest.approx(float(mono.mean()), abs=1e-7)
        assert song.deviation == pytest.approx(float(mono.std()), rel=1e-5)


def test_a_song_is_measured_once(tracks, tmp_path, readings):
    measured = SongStatistics(tmp_path / "memory").of(tracks)
    assert set(readings) == {"song-0", "song-1"}
    readings.clear()
    assert SongStatistics(tmp_path / "memory").of(tracks) == measured
    assert readings == []


@pytest.mark.parametrize("change", ["size", "time"])
def test_a_song_that_has_changed_is_measured_again(tracks, songs, tmp_path, readings, change):
    SongStatistics(tmp_path / "memory").of(tracks)
    stem = songs / "song-1" / "bass.wav"
    before = stem.stat()
    if change == "size":
        soundfile.write(stem, np.full((20_000, 2), 0.5), RATE)
        os.utime(stem, ns=(before.st_atime_ns, before.st_mtime_ns))
    else:
        os.utime(stem, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000_000))
    readings.clear()
    SongStatistics(tmp_path / "memory").of(tracks)
    assert set(readings) == {"song-1"}


@pytest.mark.parametrize("content", [b"", b'{"files": [', b'{"files": [], "peaks": []}', b"\xff"])
def test_a_memory_that_makes_no_sense_is_replaced(tracks, tmp_path, content):
    measured = SongStatistics(tmp_path / "memory").of(tracks)
    for file in (tmp_path / "memory").iterdir():
        file.write_bytes(content)
    assert SongStatistics(tmp_path / "memory").of(tracks) == measured
    assert all(file.read_bytes() != content for file in (tmp_path / "memory").iterdir())


def test_nothing_is_written_beside_the_songs_and_nothing_half_written_stays(
    tracks, songs, tmp_path
):
    before = sorted(songs.rglob("*"))
    SongStatistics(tmp_path / "memory").of(tracks)
    assert sorted(songs.rglob("*")) == before
    assert [file.suffix for file in (tmp_path / "memory").iterdir()] == [".json", ".json"]


def test_without_a_place_to_remember_songs_are_measured_all_the_same(tracks, tmp_path, caplog):
    expected = SongStatistics(tmp_path / "memory").of(tracks)
    (tmp_path / "file").write_text("in the way")
    with caplog.at_level(logging.WARNING):
        assert SongStatistics(tmp_path / "file").of(tracks) == expected
    [message] = caplog.messages
    assert f"cannot be remembered in '{tmp_path / 'file'}'" in message


def test_silent_stems_are_reported_every_time(songs, tmp_path, caplog):
    soundfile.write(songs / "song-0" / "vocals.wav", np.zeros((12_000, 2)), RATE)
    tracks = find_tracks(songs, STEMS, RATE, 2)
    for _ in range(2):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            SongStatistics(tmp_path / "memory").of(tracks)
        [message] = caplog.messages
        assert f"{songs / 'song-0' / 'vocals.wav'}' is silent from beginning to end" in message


def test_a_silent_song_can_be_normalised(tmp_path):
    song = write_song(tmp_path / "songs" / "silence")
    for stem in STEMS:
        soundfile.write(song / f"{stem}.wav", np.zeros((1_000, 2)), RATE)
    tracks = find_tracks(tmp_path / "songs", STEMS, RATE, 2)
    [silence] = SongStatistics(tmp_path / "memory").of(tracks)
    assert (silence.mean, silence.deviation) == (0.0, 1.0)
