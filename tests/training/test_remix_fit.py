"""Which songs fit each other, and where their beats meet."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamsep.training.remixing.alignment import beat_lag, meeting_share
from streamsep.training.remixing.matching import OCTAVES, semitones_between, speed_between

periods = st.floats(0.2, 1.5)
seeds = st.integers(0, 10_000)


def irregular_beats(seed: int, count: int = 40) -> np.ndarray:
    """Beats that meet in one way only."""
    return 5.0 + np.cumsum(np.random.default_rng(seed).uniform(0.3, 0.8, count))


@given(periods, periods, st.floats(0.0, 0.3))
def test_a_guest_plays_at_the_hosts_tempo_or_an_octave_of_it(host, guest, limit):
    speed = speed_between(host, guest, limit)
    possible = [guest / host * octave for octave in OCTAVES]
    within = [candidate for candidate in possible if abs(candidate - 1) <= limit]
    if speed is None:
        assert not within
    else:
        assert abs(speed - 1) <= limit
        assert speed in within
        assert abs(math.log(speed)) == min(abs(math.log(candidate)) for candidate in possible)


@pytest.mark.parametrize(
    ("host_bpm", "guest_bpm", "speed"),
    [(120, 120, 1), (120, 110, 12 / 11), (120, 60, 1), (66, 240, 1.1), (120, 85, None)],
)
def test_known_tempos(host_bpm, guest_bpm, speed):
    found = speed_between(60 / host_bpm, 60 / guest_bpm, 0.15)
    assert found == (None if speed is None else pytest.approx(speed))


@given(st.lists(st.floats(0.0, 1.0), min_size=12, max_size=12, unique=True), st.integers(-5, 6))
def test_a_known_transposition_is_found(weights, up):
    guest = np.array(weights) / sum(weights)
    assert semitones_between(tuple(np.roll(guest, up)), tuple(guest)) == up


@given(seeds, st.floats(-4.0, 4.0))
def test_a_known_delay_is_found(seed, delay):
    guest = irregular_beats(seed)
    assert beat_lag(guest + delay, guest) == pytest.approx(delay, abs=0.003)


@given(seeds, st.floats(-3.0, 3.0))
def test_beats_that_waver_still_meet(seed, delay):
    guest = irregular_beats(seed)
    wavering = guest + np.random.default_rng([seed]).normal(0.0, 0.008, guest.size)
    assert beat_lag(wavering + delay, guest) == pytest.approx(delay, abs=0.01)


@given(st.floats(0.3, 1.0), st.floats(0.0, 5.0), st.floats(0.0, 5.0), st.sampled_from(OCTAVES))
def test_steady_beats_meet_without_moving_far(period, host_first, guest_first, octave):
    host = np.arange(host_first, 30.0, period)
    guest = np.arange(guest_first, 30.0, period * octave)
    lag = beat_lag(host, guest)
    denser, sparser = sorted((period, period * octave))
    off = (host_first - guest_first - lag + denser / 2) % denser - denser / 2
    assert abs(off) < 0.005
    assert abs(lag) <= min(4.0026, abs(host_first - guest_first) + 2 * sparser)


@given(seeds, st.floats(-4.0, 4.0), st.floats(0.0, 4.0))
def test_no_guest_moves_further_than_allowed(seed, delay, furthest):
    guest = irregular_beats(seed)
    assert abs(beat_lag(guest + delay, guest, furthest)) <= furthest + 0.0026


def test_meeting_counts_the_beats_of_the_song_that_has_fewer():
    beats = np.arange(0.0, 20.0, 0.5)
    assert meeting_share(beats, beats + 0.04) == 1.0
    assert meeting_share(beats, beats + 0.06) == 0.0
    assert meeting_share(beats, beats[::2]) == 1.0
    assert meeting_share(beats, np.concatenate([beats[::2], beats[1::4] + 0.2])) < 0.8
    assert meeting_share(beats, beats + 40.0) == 0.0
    assert meeting_share(beats, []) == 0.0
