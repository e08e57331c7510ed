"""Held-out songs are separated by the engine and scored as the challenge scores."""

from __future__ import annotations

import math

import pytest
import soundfile
import torch
from fakes import Gains
from tiny_run import STEMS, write_song

from streamsep.audio.nsdr import nsdr_db
from streamsep.config.training import LossConfig, ValidationConfig
from streamsep.errors import ConfigError
from streamsep.files import find_tracks
from streamsep.training.loss import Criterion
from streamsep.training.reports import Scores
from streamsep.training.team import Team
from streamsep.training.validation import Judge

QUARTERS = Gains(gains=(0.25, 0.25, 0.25, 0.25))


@pytest.fixture
def songs(tmp_path):
    for seed in range(3):
        write_song(tmp_path / f"song-{seed}", seed=seed, length=20_000 + 3_000 * seed)
    return tmp_path


def judge(songs, team=None, loss=None, **options) -> Judge:
    tracks = find_tracks(songs, STEMS, 44_100, 2)
    criterion = Criterion(loss or LossConfig(), STEMS)
    config = ValidationConfig(**options)
    return Judge(tracks, config, criterion, segment=8_192, team=team or Team())


def stems_of(songs, song: str) -> torch.Tensor:
    files = [soundfile.read(songs / song / f"{stem}.wav", dtype="float32")[0] for stem in STEMS]
    return torch.stack([torch.from_numpy(file.T) for file in files])


def test_scores_are_means_of_whole_songs(songs):
    found = judge(songs).scores("last", QUARTERS)
    for index, stem in enumerate(STEMS):
        each = []
        for seed in range(3):
            stems = stems_of(songs, f"song-{seed}")
            each.append(nsdr_db(stems[index], stems.sum(0) / 4))
        assert found.nsdr_db[stem] == pytest.approx(sum(each) / 3, abs=1e-3)
    assert found.mean_nsdr_db == pytest.approx(sum(found.nsdr_db.values()) / 4)
    assert found.weights == "last"


def test_the_loss_is_that_of_training(songs):
    expected = []
    for seed in range(3):
        stems = stems_of(songs, f"song-{seed}")
        mix = stems.sum(0)
        expected.append(float(((mix / 4 - stems) / mix.std()).abs().mean()))
    found = judge(songs).scores("last", QUARTERS).loss
    assert found == pytest.approx(sum(expected) / 3, rel=1e-3)


def test_a_loss_that_is_not_relative_sees_normalised_songs(songs):
    plain = judge(songs, loss=LossConfig(relative=False)).scores("last", QUARTERS).loss
    for seed in range(3):
        for stem in STEMS:
            path = songs / f"song-{seed}" / f"{stem}.wav"
            sound, rate = soundfile.read(path)
            soundfile.write(path, 0.1 * sound, rate, subtype="FLOAT")
    soft = judge(songs, loss=LossConfig(relative=False)).scores("last", QUARTERS).loss
    assert soft == pytest.approx(plain, rel=1e-2)


def test_a_silent_stem_is_left_out(songs):
    for seed in range(3):
        write_silence = songs / f"song-{seed}" / "vocals.wav"
        soundfile.write(write_silence, torch.zeros(20_000, 2).numpy(), 44_100)
    found = judge(songs).scores("last", QUARTERS)
    assert math.isnan(found.nsdr_db["vocals"])
    assert found.mean_nsdr_db == pytest.approx(sum(list(found.nsdr_db.values())[:3]) / 3)


def test_a_noise_floor_is_no_stem_and_is_left_out_as_in_an_evaluation(songs):
    for seed in range(3):
        stems = stems_of(songs, f"song-{seed}")
        floor = 1e-4 * stems[:3].sum(0).std() * torch.randn(20_000, 2)
        path = songs / f"song-{seed}" / "vocals.wav"
        soundfile.write(path, floor.numpy(), 44_100, subtype="FLOAT")
    assert math.isnan(judge(songs).scores("last", QUARTERS).nsdr_db["vocals"])


def test_a_stem_that_sounds_for_a_second_is_judged(songs):
    for seed in range(3):
        for stem in STEMS:
            sound = 0.1 * torch.randn(20 * 4_410, 2)
            sound[4_410:] *= 0.0 if stem == "vocals" else 1.0
            path = songs / f"song-{seed}" / f"{stem}.wav"
            soundfile.write(path, sound.numpy(), 44_100, subtype="FLOAT")
    assert not math.isnan(judge(songs).scores("last", QUARTERS).nsdr_db["vocals"])


def test_only_the_beginning_of_long_songs_is_judged(songs):
    everything = judge(songs).scores("last", QUARTERS)
    beginning = judge(songs, most_s=0.1).scores("last", QUARTERS)
    stems = [stems_of(songs, f"song-{seed}")[..., :4_410] for seed in range(3)]
    expected = sum(nsdr_db(song[0], song.sum(0) / 4) for song in stems) / 3
    assert beginning.nsdr_db["drums"] == pytest.approx(expected, abs=1e-3)
    assert beginning.nsdr_db["drums"] != everything.nsdr_db["drums"]


def test_songs_can_be_judged_as_a_live_preset_separates_them(songs):
    live = judge(songs, latency_preset="studio").scores("last", QUARTERS)
    assert live.nsdr_db == pytest.approx(judge(songs).scores("last", QUARTERS).nsdr_db, abs=1e-3)
    with pytest.raises(ConfigError, match="unknown latency preset 'studoi'"):
        judge(songs, latency_preset="studoi")


def test_processes_share_the_songs_out(songs):
    shares = [judge(songs, team=Team(size=2, rank=rank)).own_share for rank in range(2)]
    assert shares == [2, 1]


def test_every_song_is_announced(songs):
    heard = []
    judge(songs).scores("last", QUARTERS, lambda: heard.append(None))
    assert len(heard) == 3


def scores(loss: float, nsdr: float) -> Scores:
    return Scores(weights="last", loss=loss, nsdr_db={"drums": nsdr, "bass": math.nan})


def test_a_smaller_loss_or_a_larger_nsdr_is_better():
    assert scores(0.1, 3).beats(scores(0.2, 4), "loss")
    assert not scores(0.1, 3).beats(scores(0.1, 2), "loss")
    assert scores(0.2, 4).beats(scores(0.1, 3), "nsdr")
    assert not scores(0.2, 3).beats(scores(0.1, 3), "nsdr")


@pytest.mark.parametrize("metric", ["loss", "nsdr"])
def test_nothing_loses_to_what_is_no_number(metric):
    assert scores(9.0, -9.0).beats(scores(math.nan, math.nan), metric)
    assert not scores(math.nan, math.nan).beats(scores(9.0, -9.0), metric)
    assert not scores(math.nan, math.nan).beats(scores(math.nan, math.nan), metric)
