"""Songs are held out by name, and stay on their side."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamsep.files import TrackFolder
from streamsep.training.dataset import MUSDB18_VALIDATION, split_tracks

NAMES = st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=30, unique=True)
SHARES = st.floats(0.0, 0.99)


def songs(names) -> list[TrackFolder]:
    return [TrackFolder(name, (), 0) for name in names]


@given(names=NAMES, share=SHARES)
def test_a_split_loses_nothing_and_keeps_the_order(names, share):
    tracks = songs(names)
    train, valid = split_tracks(tracks, share)
    assert train == [track for track in tracks if track in train]
    assert valid == [track for track in tracks if track not in train]
    assert train
    assert bool(valid) == (share > 0 and len(names) > 1)


@given(names=NAMES, more=NAMES, share=SHARES)
def test_more_songs_move_none_to_the_other_side(names, more, share):
    train, valid = ({track.name for track in side} for side in split_tracks(songs(names), share))
    joined = songs(dict.fromkeys([*names, *more]))
    more_train, more_valid = (
        {track.name for track in side} for side in split_tracks(joined, share)
    )
    # Only a side that would have been empty has taken a song from the other.
    assert len(train & more_valid) <= 1
    assert len(valid & more_train) <= 1
    assert not train & more_valid or len(train) == 1
    assert not valid & more_train or len(valid) == 1


def test_a_share_is_about_that_share():
    _, valid = split_tracks(songs(f"song {number}" for number in range(1_000)), 0.1)
    assert 70 <= len(valid) <= 130


def test_the_official_songs_of_musdb18_are_held_out_whatever_the_share():
    assert len(MUSDB18_VALIDATION) == 14
    others = [f"Band - Song {number}" for number in range(86)]
    tracks = songs(sorted([*others, *MUSDB18_VALIDATION]))
    for share in (0.0, 0.5):
        train, valid = split_tracks(tracks, share)
        assert {track.name for track in valid} == MUSDB18_VALIDATION
        assert len(train) == 86


def test_part_of_the_official_songs_is_enough_and_they_alone_are_learnt_from():
    train, valid = split_tracks(songs(["Band - Song", "Leaf - Summerghost"]))
    assert [track.name for track in valid] == ["Leaf - Summerghost"]
    assert len(train) == 1
    train, valid = split_tracks(songs(["Leaf - Summerghost"]))
    assert (len(train), len(valid)) == (1, 0)


def test_the_official_songs_are_those_of_torchaudio():
    musdb = pytest.importorskip("torchaudio.datasets.musdb_hq")
    assert set(musdb._VALIDATION_SET) == MUSDB18_VALIDATION


def test_a_name_that_is_no_text_has_its_lot_too():
    tracks = songs([os.fsdecode(b"caf\xe9"), "song"])
    train, valid = split_tracks(tracks, 0.5)
    assert sorted([*train, *valid], key=tracks.index) == tracks
