"""`streamsep demo`: the main job, in one command."""

from __future__ import annotations

import re

import numpy as np
import pytest
import soundfile

from cli.commands import run
from streamsep import synthesis
from streamsep.cli.demo import demo
from streamsep.errors import ConfigError, InputError
from streamsep.synthesis.song import Song

STEMS = ["drums", "bass", "other", "vocals"]


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    return out, run(demo, "--seconds", 4, "--latency-preset", "studio", "-d", "cpu", "-o", out)


def test_it_declares_the_latency_and_says_how_fast_it_was(played):
    _, result = played
    assert result.exit_code == 0, result.output
    assert "declared latency: 67584 samples, 1533 ms" in result.output
    assert re.search(r"RTF: \d+\.\d\d", result.output)


def test_it_names_the_network_and_where_the_stems_are(played):
    out, result = played
    assert "model: starter" in result.output
    assert str(out) in result.output.replace("\n", "")


def test_every_stem_has_a_figure_for_mixture_and_estimate(played):
    _, result = played
    for stem in STEMS:
        assert re.search(
            rf"{stem}\W+(-?\d+\.\d\d\W+\d|-?\d+\.\d\d\W+-\d|not playing)", result.output
        )


def test_mixture_stems_and_a_picture_are_written_at_full_length(played):
    out, _ = played
    for name in ["mixture", *STEMS]:
        info = soundfile.info(out / f"{name}.wav")
        assert (info.frames, info.samplerate, info.channels) == (4 * 44_100, 44_100, 2)
    assert (out / "spectrograms.png").stat().st_size > 10_000


def test_a_song_of_ones_own_is_cut_and_keeps_its_rate_and_channels(tmp_path, played):
    out, _ = played
    audio, rate = soundfile.read(out / "mixture.wav")
    soundfile.write(tmp_path / "own.flac", audio[: 3 * rate, 0], 48_000)
    result = run(
        demo, "--song", tmp_path / "own.flac", "--seconds", 2, "--latency-preset", "studio",
        "-d", "cpu", "-o", tmp_path / "out",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "nSDR" not in result.output, "the stems of a foreign song are not known"
    info = soundfile.info(tmp_path / "out" / "vocals.wav")
    assert (info.frames, info.samplerate, info.channels) == (2 * 48_000, 48_000, 1)


def test_a_song_that_is_not_audio_is_a_clear_error(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("do re mi")
    result = run(demo, "--song", path, "-o", tmp_path / "out")
    assert isinstance(result.exception, InputError)
    assert not (tmp_path / "out").exists()


def test_a_song_is_not_replaced_by_what_is_made_of_it(tmp_path):
    for name in ("mixture", "vocals"):
        path = tmp_path / name / f"{name}.wav"
        path.parent.mkdir()
        soundfile.write(path, np.zeros((4_000, 2)), 44_100)
        song = path.read_bytes()
        result = run(demo, "--song", path, "-d", "cpu", "-o", path.parent)
        assert isinstance(result.exception, ConfigError)
        assert "is the song itself" in str(result.exception)
        assert [each.read_bytes() for each in path.parent.iterdir()] == [song]


def test_a_song_that_is_shorter_than_a_hop_says_nothing_of_the_speed(tmp_path):
    short = ("--seconds", "1", "--latency-preset", "studio", "-d", "cpu")
    result = run(demo, *short, "-o", tmp_path)
    assert result.exit_code == 0, result.output
    assert "RTF: not measured" in result.output
    assert "take a longer song" in result.output
    assert "keeps up" not in result.output


def test_what_a_killed_run_left_behind_is_cleared_away(tmp_path):
    left = tmp_path / ".vocals.1-0123abcd.part.wav"
    left.write_bytes(b"half of them")
    short = ("--seconds", "1", "--latency-preset", "studio", "-d", "cpu")
    assert run(demo, *short, "-o", tmp_path).exit_code == 0
    assert not left.exists()


def test_a_noise_floor_is_not_judged_as_a_stem(monkeypatch, tmp_path):
    rng = np.random.default_rng(0)
    stems = {name: rng.normal(0, 0.1, (2, 44_100)).astype("float32") for name in STEMS}
    stems["vocals"] *= 1e-4

    def compose(seed, seconds):
        return Song(44_100, stems)

    monkeypatch.setattr(synthesis, "synthesise_song", compose)
    result = run(demo, "--latency-preset", "studio", "-d", "cpu", "-o", tmp_path)
    assert result.exit_code == 0, result.output
    assert re.search(r"vocals\W+not playing", result.output)
    assert re.search(r"drums\W+-?\d+\.\d\d", result.output)
