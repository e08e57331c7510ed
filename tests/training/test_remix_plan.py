"""Who lends what to whom: limits hold, the seed decides, and a remix lies within its songs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from streamsep.training.remixing import RemixSettings
from streamsep.training.remixing.analysis import SongAnalysis
from streamsep.training.remixing.matching import OCTAVES, semitones_between
from streamsep.training.remixing.planning import LEAST_MEETING, Recipe, plan_remixes

RATE = 1_000
examples = hypothesis_settings(max_examples=25)
STEMS = ("drums", "bass", "other", "vocals")


def song(
    *,
    bpm: float = 120.0,
    key: int = 0,
    seconds: float = 30.0,
    first_s: float = 0.5,
    sounding: tuple[str, ...] = STEMS,
) -> SongAnalysis:
    chroma = np.roll([0.5, 0.02, 0.1, 0.0, 0.08, 0.1, 0.0, 0.15, 0.0, 0.05, 0.0, 0.0], key)
    beats = np.arange(first_s, seconds, 60.0 / bpm) if "drums" in sounding else np.zeros(0)
    return SongAnalysis(
        start=123,
        length=int(seconds * RATE),
        sounding=sounding,
        beats=tuple(beats.tolist()),
        period_s=60.0 / bpm if beats.size else 0.0,
        chroma=tuple(chroma.tolist()) if "bass" in sounding else (),
    )


any_song = st.builds(
    song,
    bpm=st.floats(60.0, 180.0),
    key=st.integers(0, 11),
    seconds=st.floats(5.0, 40.0),
    first_s=st.floats(0.0, 2.0),
    sounding=st.sampled_from([STEMS, STEMS, STEMS, STEMS[:2], ("drums", "other"), STEMS[1:]]),
)
any_songs = st.lists(any_song, min_size=2, max_size=7).map(
    lambda songs: {f"song-{number}": song for number, song in enumerate(songs)}
)
any_settings = st.builds(
    RemixSettings,
    seed=st.integers(0, 9),
    max_semitones=st.integers(0, 6),
    max_tempo=st.floats(0.0, 0.3),
)


def plan(songs, copies: int = 6, settings: RemixSettings | None = None) -> list[Recipe]:
    settings = settings or RemixSettings()
    return plan_remixes(songs, STEMS, sample_rate=RATE, copies=copies, settings=settings)


@examples
@given(any_songs, any_settings)
def test_the_limits_are_obeyed(songs, settings):
    for recipe in plan(songs, settings=settings):
        host = songs[recipe.host]
        for part in recipe.parts:
            guest = songs[part.song]
            assert part.stem in guest.sounding or part.song == recipe.host
            assert part.beats_met >= LEAST_MEETING
            assert abs(part.speed - 1) <= settings.max_tempo + 1e-6
            assert abs(part.semitones) <= settings.max_semitones
            octaves = guest.period_s / part.speed / host.period_s
            assert min(abs(octaves * octave - 1) for octave in OCTAVES) < 1e-5
            if part.song != recipe.host and part.stem != "drums":
                assert part.semitones == semitones_between(host.chroma, guest.chroma)
            if part.song == recipe.host or part.stem == "drums":
                assert part.semitones == 0


@examples
@given(any_songs, any_settings)
def test_all_of_a_remix_lies_in_its_songs(songs, settings):
    for recipe in plan(songs, settings=settings):
        assert recipe.length > 0
        assert [part.stem for part in recipe.parts] == list(STEMS)
        for part in recipe.parts:
            guest = songs[part.song]
            assert part.start == guest.start
            assert part.skip >= 0
            assert part.skip + recipe.length <= guest.length / part.speed


@examples
@given(any_songs, st.integers(1, 5))
def test_a_song_is_remixed_with_others_and_never_twice_alike(songs, copies):
    seen = set()
    for recipe in plan(songs, copies):
        cast = tuple(part.song for part in recipe.parts)
        assert recipe.host in cast
        assert set(cast) != {recipe.host}
        assert (recipe.host, cast) not in seen
        seen.add((recipe.host, cast))
    assert len(seen) <= copies * len(songs)


@examples
@given(any_songs, any_settings)
def test_more_copies_leave_the_first_ones_as_they_are(songs, settings):
    few = {recipe.name: recipe for recipe in plan(songs, 2, settings)}
    many = {recipe.name: recipe for recipe in plan(songs, 5, settings)}
    assert few.items() <= many.items()


def test_the_seed_decides():
    songs = {f"song-{number}": song(key=number % 3, bpm=115 + number) for number in range(8)}
    first, again, other = (plan(songs, settings=RemixSettings(seed=seed)) for seed in (1, 1, 2))
    assert first == again
    casts = [[part.song for recipe in made for part in recipe.parts] for made in (first, other)]
    assert casts[0] != casts[1]


def test_where_many_fit_every_stem_comes_from_another_song():
    songs = {f"song-{number}": song() for number in range(9)}
    recipes = plan(songs)
    assert len(recipes) == 54
    assert all(len({part.song for part in recipe.parts}) == 4 for recipe in recipes)
    kept = {
        part.stem for recipe in recipes[:6] for part in recipe.parts if part.song == recipe.host
    }
    assert kept == set(STEMS)


@pytest.mark.parametrize(
    "loner",
    [
        song(bpm=120 * 1.4),
        song(sounding=("bass", "other", "vocals")),
        song(seconds=9.0),
    ],
    ids=["tempo too far", "no beat", "too short"],
)
def test_a_song_that_fits_none_lends_nothing(loner):
    recipes = plan({"one": song(), "two": song(key=2), "loner": loner})
    assert {recipe.host for recipe in recipes} >= {"one", "two"}
    lenders = {part.song for recipe in recipes if recipe.host != "loner" for part in recipe.parts}
    assert lenders == {"one", "two"}


@pytest.mark.parametrize(
    "stranger",
    [song(key=6), song(sounding=("drums", "other", "vocals"))],
    ids=["key too far", "silent bass"],
)
def test_a_song_without_a_common_key_exchanges_drums_only(stranger):
    recipes = plan({"one": song(), "stranger": stranger})
    exchanged = {
        part.stem for recipe in recipes for part in recipe.parts if part.song != recipe.host
    }
    assert exchanged == {"drums"}
    assert {recipe.host for recipe in recipes} == {"one", "stranger"}


def test_a_song_whose_beats_waver_too_much_fits_none():
    restless = song(first_s=1.0)
    moved = np.array(restless.beats) + np.random.default_rng(0).uniform(-0.2, 0.2, 58)
    restless = restless.model_copy(update={"beats": tuple(sorted(moved.tolist()))})
    recipes = plan({"one": song(), "two": song(key=2), "restless": restless})
    assert {part.song for recipe in recipes for part in recipe.parts} == {"one", "two"}


def test_a_song_alone_has_no_remix():
    assert plan({"one": song()}) == []
