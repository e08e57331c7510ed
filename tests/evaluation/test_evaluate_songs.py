"""Which songs are judged: all of a folder, or none and one line that says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import soundfile
import torch
from evaluation_songs import read_stems, songs_in, write_song
from offline.material import noise, write

from streamsep.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


def whole(song) -> tuple[torch.Tensor, torch.Tensor]:
    stems, mixtures = zip(*song.blocks(), strict=True)
    return torch.cat(stems, dim=-1), torch.cat(mixtures, dim=-1)


def test_the_mixture_is_the_sum_of_the_stems(tmp_path: Path) -> None:
    write_song(tmp_path / "song", length=100_000)
    write(tmp_path / "song" / "mixture.wav", noise(2, 100_000, seed=99))
    (song,) = songs_in(tmp_path)
    stems, mixture = whole(song)
    assert torch.equal(stems, read_stems(song))
    assert torch.equal(mixture, stems.sum(0))


def test_or_the_file_beside_them_if_that_is_wanted(tmp_path: Path) -> None:
    write_song(tmp_path / "song", length=100_000)
    mastered = noise(2, 100_000, seed=99)
    write(tmp_path / "song" / "mixture.wav", mastered)
    (song,) = songs_in(tmp_path, use_mixture_file=True)
    assert torch.equal(whole(song)[1], mastered)


def test_songs_come_in_the_order_of_their_names_and_other_folders_are_left_alone(
    tmp_path: Path,
) -> None:
    for name in ("b", "c", "a"):
        write_song(tmp_path / name, suffix=".flac" if name == "b" else ".wav")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "todo.txt").write_text("sing")
    assert [song.name for song in songs_in(tmp_path)] == ["a", "b", "c"]


def without_vocals(song: Path) -> None:
    (song / "vocals.wav").unlink()


def misnamed(song: Path) -> None:
    (song / "vocals.wav").rename(song / "vocal.wav")


def capitals(song: Path) -> None:
    for path in list(song.iterdir()):
        path.rename(path.with_name(path.name.capitalize()))


def one_shorter(song: Path) -> None:
    write(song / "bass.wav", noise(2, 29_999))


def other_rate(song: Path) -> None:
    write(song / "bass.wav", noise(2, 30_000), sample_rate=48_000)


def mono(song: Path) -> None:
    write(song / "bass.wav", noise(1, 30_000))


def not_audio(song: Path) -> None:
    (song / "bass.wav").write_bytes(b"this is no sound at all")


def empty(song: Path) -> None:
    (song / "bass.wav").write_bytes(b"")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (without_vocals, r"no vocals\.wav or vocals\.flac.*bass\.wav, drums\.wav, other\.wav"),
        (misnamed, r"no vocals\.wav .*is it 'vocal\.wav'"),
        (capitals, r"no drums\.wav .*is it 'Drums\.wav'"),
        (one_shorter, r"differ in length .*bass\.wav 29999"),
        (other_rate, r"bass\.wav.*48000 Hz"),
        (mono, r"bass\.wav.*1 channels"),
        (not_audio, r"bass\.wav"),
        (empty, r"bass\.wav"),
    ],
)
def test_a_song_that_would_spoil_the_figures_is_refused(spoil, said, tmp_path: Path) -> None:
    write_song(tmp_path / "good")
    spoil(write_song(tmp_path / "bad"))
    with pytest.raises(InputError, match=said):
        songs_in(tmp_path)


def test_a_missing_or_unfitting_mixture_is_refused_only_if_it_is_used(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song")
    assert songs_in(tmp_path)
    with pytest.raises(InputError, match=r"no mixture\.wav"):
        songs_in(tmp_path, use_mixture_file=True)
    for audio, rate, said in (
        (noise(2, 30_001), 44_100, "differ in length"),
        (noise(2, 30_000), 22_050, "22050 Hz"),
    ):
        write(song / "mixture.wav", audio, sample_rate=rate)
        with pytest.raises(InputError, match=said):
            songs_in(tmp_path, use_mixture_file=True)
        assert songs_in(tmp_path)


def test_a_data_set_in_halves_is_judged_by_its_test_half(tmp_path: Path) -> None:
    write_song(tmp_path / "train" / "learnt")
    write_song(tmp_path / "test" / "unknown")
    assert [song.name for song in songs_in(tmp_path)] == ["unknown"]


def test_where_there_are_no_songs_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="streamsep render"):
        songs_in(tmp_path)


def test_a_file_that_ends_too_early_is_found_while_it_is_read(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song", length=200_000, suffix=".flac")
    (found,) = songs_in(tmp_path)
    path = song / "other.flac"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"other\.flac"):
        whole(found)


def test_stems_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song")
    audio, rate = soundfile.read(song / "bass.wav", dtype="float32")
    audio[17, 0] = float("nan")
    soundfile.write(song / "bass.wav", audio, rate, "FLOAT")
    with pytest.raises(InputError, match=r"bass\.wav.*NaN"):
        whole(songs_in(tmp_path)[0])
