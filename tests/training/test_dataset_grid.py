"""A grid takes every part of every song once per epoch, in an order of its own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_run import STEMS, write_song

from streamsep.config.training import AugmentationConfig, DataConfig
from streamsep.files import find_tracks
from streamsep.training.dataset import Examples
from streamsep.training.dataset.places import Grid

RATE = 44_100
LENGTHS = st.lists(st.integers(1, 300), min_size=1, max_size=6)


def epoch_of(grid: Grid, epoch: int) -> list[tuple[int, int]]:
    """The places of an epoch, in its order."""
    rng = np.random.default_rng(0)
    first = epoch * grid.per_epoch
    places = [grid.place(index, rng) for index in range(first, first + grid.per_epoch)]
    return [(place.track, place.start) for place in places]


@settings(max_examples=60)
@given(
    lengths=LENGTHS, segment=st.integers(1, 80), stride=st.integers(1, 100), seed=st.integers(0, 9)
)
def test_an_epoch_is_a_permutation_of_the_grid(lengths, segment, stride, seed):
    grid = Grid(lengths, segment, stride, seed)
    for epoch in (0, 3):
        places = epoch_of(grid, epoch)
        assert len(set(places)) == len(places) == grid.per_epoch
        for track, length in enumerate(lengths):
            starts = sorted(start for song, start in places if song == track)
            assert starts == list(range(0, len(starts) * stride, stride))
            # The last segment is the first that reaches the end, and none is past it.
            assert starts[-1] < length
            assert len(starts) == 1 or starts[-2] + segment < length
            assert starts[-1] + max(segment, stride) >= length


@settings(max_examples=20)
@given(lengths=LENGTHS, seed=st.integers(0, 2**40))
def test_the_seed_and_the_epoch_decide_the_order(lengths, seed):
    grid = Grid(lengths, 10, 1, seed)
    assert epoch_of(grid, 1) == epoch_of(Grid(lengths, 10, 1, seed), 1)
    if grid.per_epoch > 20:
        assert epoch_of(grid, 0) != epoch_of(grid, 1)
        assert epoch_of(grid, 0) != epoch_of(Grid(lengths, 10, 1, seed + 1), 0)


def test_the_papers_grid_has_an_extract_every_second():
    # Three minutes hold 170 extracts of 11 s that begin at whole seconds.
    assert Grid([180 * RATE], 11 * RATE, RATE, 0).per_epoch == 170


@pytest.fixture(scope="module")
def tracks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("songs")
    for seed in range(2):
        write_song(folder / f"song-{seed}", seed=seed, length=9_000 + 1_000 * seed)
    return find_tracks(folder, STEMS, RATE, 2)


def examples(tracks, folder, config=None, *, normalise=None, **options) -> Examples:
    data = DataConfig(draw="grid", stride=2_000, normalise=normalise)
    return Examples(
        tracks,
        4_096,
        config or AugmentationConfig(),
        sample_rate=RATE,
        seed=0,
        data=data,
        cache=folder / "cache",
        **options,
    )


def test_the_examples_of_an_epoch_are_the_segments_of_the_songs(tracks, tmp_path):
    data = examples(tracks, tmp_path, normalise=False)
    expected = {
        tuple(track.read(0, start, 4_096)[0, :9].tolist())
        for track in tracks
        for start in range(0, track.length - 4_096 + 1_999, 2_000)
    }
    assert len(data) == data.per_epoch == len(expected)
    assert {tuple(example[0, 0, :9].tolist()) for example in data} == expected


def test_all_stems_of_a_song_are_brought_to_the_level_of_its_mixture(tracks, tmp_path):
    plain, normalised = (
        examples(tracks, tmp_path, normalise=normalise) for normalise in (False, None)
    )
    mixes = [
        torch.stack([track.read(stem, 0, track.length) for stem in range(4)]).sum(0).mean(0)
        for track in tracks
    ]
    for before, after in zip(plain, normalised, strict=True):
        fits = [
            torch.allclose(after, (before - mix.mean()) / mix.std(), rtol=1e-4, atol=1e-5)
            for mix in mixes
        ]
        assert any(fits)


def test_a_longer_reach_makes_no_other_grid_than_the_segments_it_reads(tracks, tmp_path):
    shifted = examples(tracks, tmp_path, AugmentationConfig(shift_s=2_000 / RATE))
    # 4,096 samples and 2,000 to go: one place fewer per song than without a shift.
    assert shifted.per_epoch == examples(tracks, tmp_path).per_epoch - 2
    assert all(example.shape == (4, 2, 4_096) for example in shifted)


def test_a_number_decides_an_example_whoever_asks(tracks, tmp_path):
    config = AugmentationConfig(shift_s=0.01, flip_sign=0.5, scale=(0.25, 1.25))
    one, other = (examples(tracks, tmp_path, config, count=40) for _ in range(2))
    wanted = [39, 3, 12, 3]
    assert [torch.equal(one[index], other[index]) for index in wanted] == [True] * 4
    assert not torch.equal(one[3], one[3 + one.per_epoch])
