"""Songs on disk become training examples, drawn at random."""

from __future__ import annotations

import pytest
import torch
from tiny_run import STEMS, write_song
from torch.utils.data import DataLoader

from streamsep.config.training import AugmentationConfig, DataConfig
from streamsep.files import find_tracks
from streamsep.training.dataset import Examples

RATE = 44_100
PLAIN = AugmentationConfig()
LIVELY = AugmentationConfig(
    remix=0.5, flip_sign=0.5, varispeed=0.5, tilt=0.5, stem_dropout=0.2, shift_s=0.01
)


@pytest.fixture(scope="module")
def tracks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("songs")
    for seed in range(3):
        write_song(folder / f"song-{seed}", seed=seed)
    return find_tracks(folder, STEMS, RATE, 2)


def examples(tracks, config, *, segment=4_096, count=20, seed=0, data=None):
    return Examples(tracks, segment, config, sample_rate=RATE, count=count, seed=seed, data=data)


def test_an_example_depends_on_seed_and_number_alone(tracks):
    one, other = examples(tracks, LIVELY), examples(tracks, LIVELY, count=30)
    for index in (7, 0, 19, 7):
        assert torch.equal(one[index], other[index])
    assert not torch.equal(one[0], one[1])
    assert not torch.equal(one[0], examples(tracks, LIVELY, seed=1)[0])


def test_an_example_has_stems_channels_and_samples(tracks):
    data = examples(tracks, LIVELY)
    assert len(data) == 20
    assert all(example.shape == (4, 2, 4_096) for example in data)
    assert all(example.dtype == torch.float32 for example in data)


def test_there_are_no_examples_past_the_last(tracks):
    for index in (20, -1):
        with pytest.raises(IndexError):
            examples(tracks, PLAIN)[index]


def places(tracks, example: torch.Tensor) -> list[tuple[str, int]]:
    """The song and position each stem was cut from."""
    found = []
    for number, stem in enumerate(example):
        for track in tracks:
            whole = track.read(number, 0, track.length)
            head = stem[:, :8]
            for start in (whole[0] == head[0, 0]).nonzero().flatten().tolist():
                if torch.equal(whole[:, start : start + stem.shape[-1]], stem):
                    found.append((track.name, start))
    return found


def test_without_remix_all_stems_are_of_one_moment(tracks):
    for example in examples(tracks, PLAIN, count=4):
        found = places(tracks, example)
        assert len(found) == 4
        assert len(set(found)) == 1


def test_with_remix_stems_come_from_moments_of_their_own(tracks):
    remixed = AugmentationConfig(remix=1.0)
    found = [places(tracks, example) for example in examples(tracks, remixed, count=4)]
    assert all(len(moments) == 4 for moments in found)
    assert any(len({song for song, _ in moments}) > 1 for moments in found)
    assert all(len(set(moments)) > 1 for moments in found)


def test_a_song_shorter_than_a_segment_ends_in_silence(tracks):
    example = examples(tracks, PLAIN, segment=20_480)[0]
    assert example.shape == (4, 2, 20_480)
    assert example[..., :12_000].abs().amax((1, 2)).gt(0).all()
    assert not example[..., 12_000:].any()


def test_an_example_is_as_long_after_a_shift(tracks):
    data = examples(tracks, AugmentationConfig(shift_s=0.1), count=8)
    assert all(example.shape == (4, 2, 4_096) for example in data)
    found = [{start for _, start in places(tracks, example)} for example in data]
    assert all(len(starts) > 1 for starts in found)
    assert all(max(starts) - min(starts) <= 4_410 for starts in found)


def test_an_epoch_is_what_the_configuration_says(tracks):
    data = examples(tracks, PLAIN, count=None, data=DataConfig(examples_per_epoch=7))
    assert data.per_epoch == len(data) == 7
    assert examples(tracks, PLAIN, count=30, data=DataConfig(examples_per_epoch=7)).per_epoch == 7


def test_random_songs_may_be_normalised(tracks, tmp_path):
    def first(normalise: bool) -> torch.Tensor:
        data = DataConfig(normalise=normalise)
        return Examples(
            tracks, 12_000, PLAIN, sample_rate=RATE, count=1, seed=0, data=data, cache=tmp_path
        )[0]

    plain, normalised = first(False), first(True)
    mono = plain.sum(0).mean(0)
    expected = (plain - mono.mean()) / mono.std()
    torch.testing.assert_close(normalised, expected, rtol=1e-4, atol=1e-5)


# From Python 3.12 on, a fork warns of the threads that torch has; and three workers may be more
# than the machine has cores.
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")
def test_workers_change_nothing(tracks):
    data = examples(tracks, LIVELY, count=8)
    alone = torch.stack(list(data))
    for workers in (1, 3):
        shared = torch.cat(list(DataLoader(data, batch_size=2, num_workers=workers)))
        assert torch.equal(shared, alone)


def test_a_batch_is_remixed_by_seed_step_and_rank(tracks):
    config = AugmentationConfig(remix_group=4)
    batch = torch.stack(list(examples(tracks, config, count=8)))
    remixed = examples(tracks, config).augment_batch(batch, 3, rank=1)
    assert torch.equal(remixed, examples(tracks, config).augment_batch(batch, 3, rank=1))
    for half in (slice(0, 4), slice(4, 8)):
        for stem in range(4):
            ours = sorted(remixed[half, stem].flatten(1).tolist())
            assert ours == sorted(batch[half, stem].flatten(1).tolist())
    for seed, step, rank in ((0, 3, 0), (0, 1, 3), (1, 3, 1), (0, 4, 1)):
        other = examples(tracks, config, seed=seed).augment_batch(batch, step, rank=rank)
        assert not torch.equal(other, remixed)


def test_without_groups_a_batch_stays_as_it_is(tracks):
    batch = torch.randn(2, 4, 2, 8)
    assert torch.equal(examples(tracks, PLAIN).augment_batch(batch, 0), batch)
