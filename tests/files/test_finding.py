from __future__ import annotations

from pathlib import Path

import pytest

from streamsep.errors import InputError
from streamsep.files import FoundAudio, expand, find_audio
from streamsep.files.leftovers import unfinished_path


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_directories_are_searched_through_in_order(tmp_path: Path) -> None:
    for name in ("b/song.wav", "a/song.wav", "a/deep/x.MP3", "cover.jpg", "video.mp4", "notes.txt"):
        touch(tmp_path / name)
    found = [str(audio.relative) for audio in find_audio(tmp_path)]
    assert found == ["a/deep/x.MP3", "a/song.wav", "b/song.wav", "video.mp4"]
    assert all(audio.path == tmp_path / audio.relative for audio in find_audio(tmp_path))


def test_a_file_is_taken_whatever_its_name(tmp_path: Path) -> None:
    file = touch(tmp_path / "song.strange")
    assert find_audio(file) == [FoundAudio(file, Path("song.strange"))]


def test_hidden_and_unfinished_files_are_left_out(tmp_path: Path) -> None:
    touch(tmp_path / "song.wav")
    touch(tmp_path / "._song.wav")
    touch(tmp_path / ".trash/song.wav")
    touch(unfinished_path(tmp_path / "vocals.wav"))
    assert [audio.path.name for audio in find_audio(tmp_path)] == ["song.wav"]


def test_the_output_folder_below_is_left_out(tmp_path: Path) -> None:
    touch(tmp_path / "song.wav")
    stem = touch(tmp_path / "separated/model/song/vocals.wav")
    exclude = tmp_path / "separated"
    assert [a.path.name for a in find_audio(tmp_path, exclude=exclude)] == ["song.wav"]
    assert [a.path for a in find_audio(exclude, exclude=exclude)] == [stem]


def test_a_link_to_a_folder_is_not_followed(tmp_path: Path) -> None:
    touch(tmp_path / "music/song.wav")
    (tmp_path / "music/loop").symlink_to(tmp_path / "music", target_is_directory=True)
    assert len(find_audio(tmp_path)) == 1


def test_a_folder_without_audio_is_refused(tmp_path: Path) -> None:
    touch(tmp_path / "notes.txt")
    with pytest.raises(InputError, match="no audio files in"):
        find_audio(tmp_path)


def test_what_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        find_audio(tmp_path / "song.wav")


def test_a_bad_argument_does_not_stop_the_others(tmp_path: Path) -> None:
    song = touch(tmp_path / "in/song.wav")
    found, bad = expand([tmp_path / "nowhere", tmp_path / "in", song])
    assert [audio.relative for audio in found] == [Path("song.wav")], "named twice, found once"
    assert [each.path for each in bad] == [tmp_path / "nowhere"]
    assert "nowhere' does not exist" in str(bad[0].error)


def test_a_link_to_itself_does_not_stop_the_others(tmp_path: Path) -> None:
    touch(tmp_path / "in/song.wav")
    (tmp_path / "in/round.wav").symlink_to("round.wav")
    found, bad = expand([tmp_path / "in"])
    assert {audio.relative.name for audio in found} == {"round.wav", "song.wav"}
    assert bad == []
