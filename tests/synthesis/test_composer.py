from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamsep.synthesis.composer import compose
from streamsep.synthesis.composing.bassist import BASS_HIGH, BASS_LOW
from streamsep.synthesis.composing.melodist import VOICE_HIGH, VOICE_LOW
from streamsep.synthesis.composing.timing import Clock, Scribe
from streamsep.synthesis.score import STEMS

KIT_KEYS = range(35, 60)
PERCUSSION_KEYS = {54, 56, 62, 63, 64, 70, 82}
OTHER_ROLES = {"chords", "arpeggio", "lead", "pad", "riff"}

seeds = st.integers(0, 2**32 - 1)
durations_s = st.floats(1.0, 40.0)


@given(seeds, durations_s)
@settings(max_examples=40, deadline=None)
def test_every_note_lies_inside_the_song_and_in_order(seed: int, duration_s: float) -> None:
    for part in compose(seed, duration_s).parts:
        starts = [note.start_s for note in part.notes]
        assert starts == sorted(starts)
        for note in part.notes:
            assert note.start_s >= 0
            assert note.duration_s > 0
            assert note.start_s + note.duration_s <= duration_s + 1e-9
            assert 0 < note.velocity <= 1


@given(seeds, durations_s)
@settings(max_examples=40, deadline=None)
def test_pitches_stay_within_what_instruments_and_voices_reach(
    seed: int, duration_s: float
) -> None:
    score = compose(seed, duration_s)
    assert 65 <= score.tempo_bpm <= 180
    for part in score.parts:
        pitches = {note.pitch for note in part.notes}
        if part.role == "kit":
            assert pitches <= set(KIT_KEYS)
        elif part.role == "percussion":
            assert pitches <= PERCUSSION_KEYS
        elif part.stem == "bass":
            assert BASS_LOW <= min(pitches) <= max(pitches) <= BASS_HIGH
        elif part.stem == "vocals":
            assert VOICE_LOW <= min(pitches) <= max(pitches) <= VOICE_HIGH
        else:
            assert part.role in OTHER_ROLES
            assert 30 <= min(pitches) <= max(pitches) <= 96


@given(seeds, durations_s)
@settings(max_examples=20, deadline=None)
def test_bass_voice_and_lead_sound_one_note_at_a_time(seed: int, duration_s: float) -> None:
    for part in compose(seed, duration_s).parts:
        if part.role in {"bass", "voice", "lead", "backing"}:
            for earlier, later in zip(part.notes, part.notes[1:], strict=False):
                assert earlier.start_s + earlier.duration_s <= later.start_s + 1e-9


@given(seeds)
@settings(max_examples=10, deadline=None)
def test_the_same_seed_writes_the_same_score(seed: int) -> None:
    assert compose(seed, 10.0) == compose(seed, 10.0)


def test_different_seeds_write_different_scores() -> None:
    scores = [compose(seed, 6.0) for seed in range(30)]
    assert len({score.tempo_bpm for score in scores}) == 30
    assert len({score.style for score in scores}) >= 8


def test_even_short_songs_have_most_stems_and_never_fewer_than_two() -> None:
    count: Counter[str] = Counter()
    for seed in range(150):
        stems = {part.stem for part in compose(seed, 6.0).parts}
        assert len(stems) >= 2
        count.update(stems)
    assert all(count[stem] >= 0.75 * 150 for stem in STEMS)
    assert any(count[stem] < 150 for stem in STEMS)


def test_a_voice_rests_for_a_good_part_of_its_songs() -> None:
    shares = [
        sum(note.duration_s for note in part.notes) / 30.0
        for seed in range(60)
        for part in compose(seed, 30.0).parts
        if part.role == "voice"
    ]
    assert 0.45 < sum(shares) / len(shares) < 0.75


def test_sung_notes_are_never_longer_than_a_breath() -> None:
    for seed in range(60):
        for part in compose(seed, 12.0).parts:
            if part.stem == "vocals":
                assert max(note.duration_s for note in part.notes) <= 2.1


@pytest.mark.parametrize(("swing", "expected_s"), [(0.5, 0.25), (2 / 3, 1 / 3)])
def test_swing_delays_the_second_eighth_and_leaves_the_beat(
    swing: float, expected_s: float
) -> None:
    clock = Clock(tempo_bpm=120.0, swing=swing)
    assert clock.at(2) == pytest.approx(expected_s)
    assert clock.at(4) == pytest.approx(0.5)


def test_a_lead_in_moves_the_first_bar_line_before_the_song() -> None:
    assert Clock(tempo_bpm=60.0, lead_in_s=0.4).at(0) == pytest.approx(-0.4)
    assert Clock(tempo_bpm=60.0, lead_in_s=0.4).bars_in(8.0) == 3


def test_notes_outside_the_song_are_left_out_and_long_ones_are_cut() -> None:
    scribe = Scribe(np.random.default_rng(0), Clock(tempo_bpm=60.0), duration_s=1.0)
    scribe.write(2, 100, 60, 0.5)
    scribe.write(5, 1, 60, 0.5)
    (note,) = scribe.part("other", "lead").notes
    assert (note.start_s, note.duration_s) == pytest.approx((0.5, 0.5))
