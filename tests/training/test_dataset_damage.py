"""Files that break after the run has begun: examples come from elsewhere, and it is said once."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
import torch
from tiny_run import STEMS, write_song
from torch.utils.data import DataLoader

from streamsep.config.training import AugmentationConfig, DataConfig
from streamsep.errors import InputError
from streamsep.files import find_tracks
from streamsep.training.dataset import Examples

if TYPE_CHECKING:
    from pathlib import Path

    from streamsep.files import TrackFolder

RATE = 44_100


@pytest.fixture
def tracks(tmp_path) -> list[TrackFolder]:
    for seed in range(3):
        write_song(tmp_path / f"song-{seed}", seed=seed, suffix=".flac")
    return find_tracks(tmp_path, STEMS, RATE, 2)


def examples(tracks, **options) -> Examples:
    config = AugmentationConfig(remix=0.3, flip_sign=0.5)
    return Examples(tracks, 4_096, config, sample_rate=RATE, count=24, seed=0, **options)


def damage(path: Path) -> None:
    """Destroy all of a file but its beginning, from which its length is known."""
    content = bytearray(path.read_bytes())
    content[200:] = bytes(len(content) - 200)
    path.write_bytes(content)


def test_examples_that_touch_a_damaged_file_come_from_elsewhere_and_the_others_stay(tracks):
    before = list(examples(tracks))
    damage(tracks[1].stems[2])
    after = list(examples(tracks))
    assert [len(example) for example in after] == [4] * 24
    same = [torch.equal(one, other) for one, other in zip(before, after, strict=True)]
    assert 5 < sum(same) < 24
    bad = [example for example, kept in zip(after, same, strict=True) if not kept]
    # Whatever was put in their place sounds, in every stem.
    assert all((example.abs().amax(dim=(1, 2)) > 0.01).all() for example in bad)


def test_what_comes_instead_depends_on_seed_and_number_alone(tracks):
    damage(tracks[1].stems[2])
    whole = list(examples(tracks))
    again = examples(tracks)
    assert all(torch.equal(again[index], whole[index]) for index in reversed(range(24)))


def test_each_damaged_file_is_reported_once_and_in_one_line(tracks, caplog):
    damage(tracks[1].stems[2])
    tracks[2].stems[0].unlink()
    with caplog.at_level(logging.WARNING):
        list(examples(tracks))
    assert len(caplog.messages) == 2
    for path in (tracks[1].stems[2], tracks[2].stems[0]):
        [message] = [message for message in caplog.messages if str(path) in message]
        assert "\n" not in message
        assert "fetch it again or export it anew" in message


# From Python 3.12 on, a fork warns of the threads that torch has; and two workers may be more than
# the machine has cores.
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")
def test_workers_report_a_file_once_between_them_and_see_the_same(tracks, tmp_path):
    damage(tracks[1].stems[2])
    expected = torch.stack(list(examples(tracks)))
    log = tmp_path / "log.txt"
    handler = logging.FileHandler(log)
    logging.getLogger("streamsep").addHandler(handler)
    try:
        data = examples(tracks)
        loader = DataLoader(data, batch_size=4, num_workers=2, multiprocessing_context="fork")
        for _ in range(2):
            assert torch.equal(torch.cat(list(loader)), expected)
    finally:
        logging.getLogger("streamsep").removeHandler(handler)
        handler.close()
    # Two that meet the file in the same instant may both speak of it, but later ones do not.
    assert 1 <= log.read_text().count("other.flac") <= 2


def test_if_no_song_can_be_read_it_is_an_error(tracks):
    for track in tracks:
        damage(track.stems[3])
    with pytest.raises(InputError, match=r"none of the 3 songs can be read; .*vocals\.flac'"):
        examples(tracks)[0]


def test_a_song_that_has_to_be_measured_must_be_whole(tracks, tmp_path):
    damage(tracks[1].stems[2])
    with pytest.raises(InputError, match=r"song-1/other\.flac' cannot be read"):
        examples(tracks, data=DataConfig(draw="grid"), cache=tmp_path / "cache")
