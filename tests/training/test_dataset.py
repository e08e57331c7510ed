"""Songs on disk become training examples."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
import torch
from tiny_run import STEMS, write_song

from streamsep.config.training import AugmentationConfig
from streamsep.errors import InputError
from streamsep.files import find_tracks
from streamsep.training.dataset import Examples

RATE = 44_100
PLAIN = AugmentationConfig(gain_db=(0.0, 0.0))
LIVELY = AugmentationConfig(remix=0.5, flip_sign=0.5, repitch=0.5, tilt=0.5, stem_dropout=0.2)


@pytest.fixture(scope="module")
def tracks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("songs")
    for seed in range(3):
        write_song(folder / f"song-{seed}", seed=seed)
    return find_tracks(folder, STEMS, RATE, 2)


def examples(tracks, config, *, segment=4_096, count=20, seed=0):
    return Examples(tracks, segment, config, sample_rate=RATE, count=count, seed=seed)


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
    remixed = AugmentationConfig(remix=1.0, gain_db=(0.0, 0.0))
    found = [places(tracks, example) for example in examples(tracks, remixed, count=4)]
    assert all(len(moments) == 4 for moments in found)
    assert any(len({song for song, _ in moments}) > 1 for moments in found)
    assert all(len(set(moments)) > 1 for moments in found)


def test_a_song_shorter_than_a_segment_ends_in_silence(tracks):
    example = examples(tracks, PLAIN, segment=20_480)[0]
    assert example.shape == (4, 2, 20_480)
    assert example[..., :12_000].abs().amax((1, 2)).gt(0).all()
    assert not example[..., 12_000:].any()


def test_songs_are_found_in_the_order_of_their_names(tmp_path):
    for name in ("b", "c", "a"):
        write_song(tmp_path / name, suffix=".flac" if name == "b" else ".wav")
    (tmp_path / "notes.txt").write_text("not a song")
    write_song(tmp_path / "incomplete", stems=("drums", "bass"))
    tracks = find_tracks(tmp_path, STEMS, RATE, 2)
    assert [track.name for track in tracks] == ["a", "b", "c"]
    assert [path.stem for path in tracks[1].stems] == list(STEMS)
    assert tracks[1].stems[0].suffix == ".flac"


def test_a_song_is_as_long_as_its_shortest_stem(tmp_path):
    song = write_song(tmp_path / "song", length=5_000)
    soundfile.write(song / "bass.wav", np.zeros((3_000, 2)), RATE)
    assert find_tracks(tmp_path, STEMS, RATE, 2)[0].length == 3_000


def test_a_folder_without_songs_is_an_error(tmp_path):
    write_song(tmp_path / "incomplete", stems=("drums", "bass"))
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(
            InputError, match=r"no folder with the stems drums, bass, other, vocals"
        ):
            find_tracks(folder, STEMS, RATE, 2)


def test_a_song_of_another_rate_is_an_error(tmp_path):
    song = write_song(tmp_path / "song")
    soundfile.write(song / "other.wav", np.zeros((100, 2)), 48_000)
    with pytest.raises(InputError, match=r"other\.wav: got 48000 Hz .* expected 44100 Hz"):
        find_tracks(tmp_path, STEMS, RATE, 2)


def test_a_song_of_another_channel_count_is_an_error(tmp_path):
    song = write_song(tmp_path / "song")
    soundfile.write(song / "bass.wav", np.zeros(100), RATE)
    with pytest.raises(InputError, match=r"bass\.wav: got .* 1 channels, expected .* 2"):
        find_tracks(tmp_path, STEMS, RATE, 2)


def test_a_song_that_cannot_be_read_is_an_error(tmp_path):
    song = write_song(tmp_path / "song")
    (song / "other.wav").write_bytes(b"this is no sound at all")
    with pytest.raises(InputError, match=r"other\.wav"):
        find_tracks(tmp_path, STEMS, RATE, 2)
