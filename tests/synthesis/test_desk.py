from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamsep.synthesis import desk
from streamsep.synthesis.score import STEMS

RATE = 44100


def noise(seed: int = 0, length: int = RATE, channels: int = 2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 0.1 * rng.standard_normal((channels, length), dtype=np.float32)


def gain_db(audio: np.ndarray, hz: float) -> float:
    spectrum = np.abs(np.fft.rfft(audio))
    return float(20.0 * np.log10(spectrum[round(hz * len(audio) / RATE)]))


@given(position=st.floats(-1.0, 1.0))
def test_panning_keeps_the_power(position: float) -> None:
    mono = noise(channels=1)[0, :512]
    stereo = desk.pan(mono, position)
    assert stereo.dtype == np.float32
    assert np.sum(stereo**2) == pytest.approx(np.sum(mono**2), rel=1e-4)


def test_panning_hard_silences_the_other_side() -> None:
    left = desk.pan(np.ones(4, dtype=np.float32), -1.0)
    np.testing.assert_allclose(left, [[1.0] * 4, [0.0] * 4], atol=1e-6)


def test_boxes_keep_length_type_and_silence() -> None:
    rng = np.random.default_rng(1)
    boxes = [
        lambda audio: desk.reverb(audio, rng, 0.5, 0.3, RATE),
        lambda audio: desk.equalise(audio, RATE, 6.0, -6.0),
        lambda audio: desk.drive(audio, 5.0),
        lambda audio: desk.compress(audio, RATE, -6.0, 4.0),
        lambda audio: desk.widen(audio, RATE, 0.5),
    ]
    for box in boxes:
        out = box(noise(length=9000))
        assert out.shape == (2, 9000)
        assert out.dtype == np.float32
        assert np.isfinite(out).all()
        assert not box(np.zeros((2, 9000), dtype=np.float32)).any()


def test_reverb_is_causal_and_decays() -> None:
    click = np.zeros((2, RATE), dtype=np.float32)
    click[:, 1000] = 1.0
    wet = desk.reverb(click, np.random.default_rng(2), 0.6, 0.5, RATE)
    assert np.abs(wet[:, :1000]).max() < 1e-6
    early, late = wet[:, 2000:8000], wet[:, 24000:30000]
    assert np.sum(late**2) < 0.05 * np.sum(early**2)


def test_the_same_generator_builds_the_same_room() -> None:
    rooms = [desk.reverb(noise(), np.random.default_rng(3), 0.4, 0.3, RATE) for _ in range(2)]
    np.testing.assert_array_equal(*rooms)


@pytest.mark.parametrize(("low_db", "high_db"), [(6.0, 0.0), (0.0, 6.0), (-9.0, 4.0)])
def test_shelves_reach_their_gains(low_db: float, high_db: float) -> None:
    click = np.zeros((1, RATE), dtype=np.float32)
    click[0, 0] = 1.0
    out = desk.equalise(click, RATE, low_db, high_db)[0]
    assert gain_db(out, 5.0) == pytest.approx(low_db, abs=0.3)
    assert gain_db(out, 900.0) == pytest.approx(0.0, abs=1.0)
    assert gain_db(out, 20000.0) == pytest.approx(high_db, abs=0.3)


@given(amount=st.floats(0.0, 50.0))
@settings(max_examples=20)
def test_drive_keeps_the_level(amount: float) -> None:
    audio = noise(length=12000)
    driven = desk.drive(audio, amount)
    assert desk.active_rms(driven) == pytest.approx(desk.active_rms(audio), rel=1e-3)


def test_drive_adds_harmonics() -> None:
    tone = np.sin(2.0 * np.pi * 441.0 / RATE * np.arange(RATE)).astype(np.float32)[None]
    assert gain_db(desk.drive(tone, 10.0)[0], 1323.0) > gain_db(tone[0], 1323.0) + 40.0


def test_compression_narrows_the_gap_between_loud_and_soft() -> None:
    audio = noise()
    audio[:, RATE // 2 :] *= 0.25
    squeezed = desk.compress(audio, RATE, -10.0, 6.0)
    halves = [np.sqrt(np.mean(part**2)) for part in np.split(squeezed, 2, axis=1)]
    assert halves[0] / halves[1] < 2.5


def test_widening_leaves_the_mono_sum_alone() -> None:
    mono = noise(channels=1)
    stereo = np.repeat(mono, 2, axis=0)
    wide = desk.widen(stereo, RATE, 0.7)
    np.testing.assert_allclose(wide.mean(axis=0), mono[0], atol=1e-6)
    assert np.corrcoef(wide)[0, 1] < 0.95


def test_rests_do_not_count_as_level() -> None:
    audio = noise(length=8 * 4096)
    level = desk.active_rms(audio)
    rested = np.concatenate([audio, np.zeros_like(audio)], axis=1)
    assert desk.active_rms(rested) == pytest.approx(level, rel=1e-6)
    assert desk.active_rms(np.zeros((2, 0), dtype=np.float32)) == 0.0


@given(seed=st.integers(0, 2**32 - 1), silent=st.sets(st.sampled_from(STEMS)))
@settings(max_examples=25, deadline=None)
def test_balanced_songs_peak_where_promised_and_silence_stays(seed: int, silent: set[str]) -> None:
    stems = {stem: noise(number, 8192) for number, stem in enumerate(STEMS)}
    for stem in silent:
        stems[stem][:] = 0.0
    mixed = desk.balance(stems, np.random.default_rng(seed))
    assert tuple(mixed) == STEMS
    for stem in STEMS:
        assert mixed[stem].any() != (stem in silent)
        assert np.abs(mixed[stem]).max() <= 0.991
    peak = np.abs(sum(mixed.values())).max()
    assert peak == 0.0 if len(silent) == 4 else 0.0 < peak <= 0.951


def test_levels_over_many_songs_resemble_records() -> None:
    stems = {stem: noise(number, 8192) for number, stem in enumerate(STEMS)}
    scores = []
    for seed in range(300):
        mixed = desk.balance(stems, np.random.default_rng(seed))
        total = sum(mixed.values())
        scores.append(
            [10 * np.log10(np.sum(x**2) / np.sum((total - x) ** 2)) for x in mixed.values()]
        )
    assert np.all(np.abs(np.mean(scores, axis=0) + 5.0) < 3.0)
    assert np.all(np.std(scores, axis=0) > 2.0)
