from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from streamsep.synthesis import STEMS, ProceduralBand, Song, compose, synthesise_song
from streamsep.synthesis.procedural.bank_bass import STRING_BASSES, SYNTH_BASSES
from streamsep.synthesis.procedural.bank_other import INSTRUMENTS
from streamsep.synthesis.procedural.dice import Dice
from streamsep.synthesis.procedural.drums import DrumKit
from streamsep.synthesis.procedural.voice import draw_singer
from streamsep.synthesis.procedural.waves import add_at, frequency_of, read_tables, tables_of
from streamsep.synthesis.score import Note, Part, Score

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATE = 44100
SHORT_S = 4.0


@pytest.fixture(scope="module")
def songs() -> list[Song]:
    return [synthesise_song(seed, SHORT_S) for seed in range(20)]


def centroid_hz(audio: NDArray[np.float32]) -> float:
    power = np.abs(np.fft.rfft(np.atleast_2d(audio).mean(axis=0))) ** 2
    frequencies = np.fft.rfftfreq(audio.shape[-1], 1 / RATE)
    return float((power * frequencies).sum() / power.sum())


def share_between(audio: NDArray[np.float32], low_hz: float, high_hz: float) -> float:
    power = np.abs(np.fft.rfft(np.atleast_2d(audio).mean(axis=0))) ** 2
    frequencies = np.fft.rfftfreq(audio.shape[-1], 1 / RATE)
    inside = (frequencies >= low_hz) & (frequencies < high_hz)
    return float(power[inside].sum() / power.sum())


def sounding(songs: list[Song], stem: str) -> list[NDArray[np.float32]]:
    return [song.stems[stem] for song in songs if song.stems[stem].any()]


def nsdr_db(estimate: NDArray[np.float32], truth: NDArray[np.float32]) -> float:
    return float(10 * np.log10((truth**2).sum() / ((estimate - truth) ** 2).sum()))


def test_stems_are_finite_stereo_float32_of_the_songs_length(songs: list[Song]) -> None:
    for song in songs:
        assert song.sample_rate == RATE
        assert tuple(song.stems) == STEMS
        for audio in song.stems.values():
            assert audio.shape == (2, int(SHORT_S * RATE))
            assert audio.dtype == np.float32
            assert np.isfinite(audio).all()


def test_the_stems_add_up_to_the_mixture_and_it_never_clips(songs: list[Song]) -> None:
    for song in songs:
        np.testing.assert_allclose(sum(song.stems.values()), song.mixture, atol=1e-6)
        assert 0.29 < np.abs(song.mixture).max() < 0.96


def test_every_stem_sounds_in_most_songs(songs: list[Song]) -> None:
    for stem in STEMS:
        assert len(sounding(songs, stem)) >= 14


def test_the_same_seed_gives_the_same_samples(songs: list[Song]) -> None:
    again = synthesise_song(3, SHORT_S)
    for stem in STEMS:
        np.testing.assert_array_equal(again.stems[stem], songs[3].stems[stem])


def test_different_seeds_give_different_songs(songs: list[Song]) -> None:
    mixtures = [song.mixture for song in songs]
    assert all(not np.allclose(mixtures[0], other, atol=1e-2) for other in mixtures[1:])


def test_the_bands_seed_changes_the_timbre_of_one_score() -> None:
    score, band = compose(5, 2.0), ProceduralBand()
    assert not np.allclose(band.play(score, 1).mixture, band.play(score, 2).mixture, atol=1e-2)


def test_no_stem_drowns_the_others_on_average(songs: list[Song]) -> None:
    for stem in STEMS:
        levels_db = [nsdr_db(song.mixture, song.stems[stem])
                     for song in songs if song.stems[stem].any()]  # fmt: skip
        assert -9 < np.mean(levels_db) < -1


def test_instruments_live_where_their_kind_lives_in_the_spectrum(songs: list[Song]) -> None:
    assert np.median([centroid_hz(audio) for audio in sounding(songs, "bass")]) < 300
    assert all(centroid_hz(audio) < 600 for audio in sounding(songs, "bass"))
    vocals = [share_between(audio, 200, 4000) for audio in sounding(songs, "vocals")]
    assert np.median(vocals) > 0.8
    other = [share_between(audio, 120, 8000) for audio in sounding(songs, "other")]
    assert np.median(other) > 0.9


@pytest.mark.parametrize("seed", range(4))
def test_a_kick_is_low_and_hats_and_cymbals_are_high(seed: int) -> None:
    kit = DrumKit(seed, RATE)
    assert share_between(kit.stroke(36, 0), 20, 150) > 0.5
    assert centroid_hz(kit.stroke(42, 0)) > 4000
    assert centroid_hz(kit.stroke(49, 0)) > 2000
    assert centroid_hz(kit.stroke(41, 0)) < centroid_hz(kit.stroke(38, 0))


def test_every_percussion_key_has_a_sound_and_takes_differ() -> None:
    kit = DrumKit(1, RATE)
    for key in (*range(35, 60), 62, 63, 64, 70, 82):
        first, second = kit.stroke(key, 0), kit.stroke(key, 1)
        assert np.isfinite(first).all()
        assert 0.05 < np.abs(first).max() < 1.5
        assert len(first) != len(second) or not np.array_equal(first, second)


@pytest.mark.parametrize("pitch", [30, 45, 60, 84])
def test_every_instrument_plays_long_and_short_notes_at_any_pitch(pitch: int) -> None:
    draws = {*STRING_BASSES, *SYNTH_BASSES, *(d for bank in INSTRUMENTS.values() for d in bank)}
    for draw in draws:
        instrument = draw(Dice(np.random.default_rng(1), RATE))
        for held in (int(0.03 * RATE), int(0.5 * RATE)):
            sound = instrument.sound(pitch, held, 0.8)
            assert len(sound) >= held
            assert sound.dtype == np.float32
            assert np.isfinite(sound).all()
            assert 1e-3 < np.abs(sound).max() < 20


def test_wavetables_hold_the_harmonics_they_were_given_and_nothing_else() -> None:
    tables = tables_of(np.array([[1.0, 0.0, 0.5]], dtype=np.complex128))
    tone = read_tables(tables, np.arange(RATE) * (441.0 / RATE))
    spectrum = np.abs(np.fft.rfft(tone)) / (RATE / 2)
    assert spectrum[441] == pytest.approx(1.0, abs=1e-3)
    assert spectrum[3 * 441] == pytest.approx(0.5, abs=1e-3)
    spectrum[[441, 3 * 441]] = 0
    assert spectrum.max() < 1e-4


def test_a_held_sung_note_has_the_pitch_that_was_asked_for() -> None:
    for seed in range(4):
        singer = draw_singer(np.random.default_rng(seed), 57, RATE)
        sound = singer.sing(np.random.default_rng(seed), 57.0, RATE, 0.8, None)
        steady = sound[RATE // 4 : RATE // 4 + 16384] * np.hanning(16384)
        autocorrelation = np.fft.irfft(np.abs(np.fft.rfft(steady, 32768)) ** 2)
        lags = np.arange(int(RATE / 330), int(RATE / 150))
        heard_hz = RATE / lags[autocorrelation[lags].argmax()]
        assert heard_hz == pytest.approx(frequency_of(57), rel=0.05)


def test_sounds_that_overlap_the_edges_of_a_track_are_cut_there() -> None:
    track = np.zeros(4, dtype=np.float32)
    add_at(track, -2, np.array([1, 2, 3], dtype=np.float32))
    add_at(track, 3, np.array([4, 5], dtype=np.float32))
    add_at(track, 9, np.array([6], dtype=np.float32))
    np.testing.assert_array_equal(track, [3, 0, 0, 4])


def test_absent_stems_stay_silent_and_an_empty_score_plays_silence() -> None:
    lone = Score(120.0, 1.0, "rock", (Part("bass", "bass", (Note(0.1, 0.5, 40, 0.8),)),))
    song = ProceduralBand().play(lone, 0)
    assert song.stems["bass"].any()
    assert not any(song.stems[stem].any() for stem in ("drums", "other", "vocals"))
    assert not ProceduralBand().play(Score(120.0, 1.0, "rock", ()), 0).mixture.any()


def test_other_sample_rates_are_honoured() -> None:
    song = ProceduralBand(sample_rate=22050).play(compose(2, 2.0), 2)
    assert song.mixture.shape == (2, 44100)
    assert np.isfinite(song.mixture).all()
