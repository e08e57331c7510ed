"""Things that have a name only when they are whole."""

from __future__ import annotations

import pytest
import soundfile
import torch

from streamsep.errors import OutputError
from streamsep.training.whole_songs import clear_away, make_folder, whole_folder, write_stems


def test_a_folder_has_its_name_when_it_is_finished(tmp_path):
    with whole_folder(tmp_path / "song") as folder:
        write_stems(folder, {"drums": torch.tensor([[0.5, 2.0], [-0.25, -2.0]])}, 44_100)
        assert not (tmp_path / "song").exists()
    audio, rate = soundfile.read(tmp_path / "song" / "drums.flac")
    assert rate == 44_100
    assert audio.tolist() == [[0.5, -0.25], [1.0 - 2**-15, -1.0]]
    clear_away(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["song"]


def test_what_fails_leaves_nothing(tmp_path):
    sounds = {"drums": torch.zeros(2, 10), "a\0b": torch.zeros(2, 10)}
    with pytest.raises(ValueError, match="null byte"), whole_folder(tmp_path / "song") as folder:
        write_stems(folder, sounds, 44_100)
    assert not list(tmp_path.rglob("*.flac"))
    assert not (tmp_path / "song").exists()


def test_what_a_killed_run_left_is_no_hindrance(tmp_path):
    left = tmp_path / ".unfinished" / "song"
    left.mkdir(parents=True)
    (left / "vocals.flac").write_bytes(b"half a fl")
    with whole_folder(tmp_path / "song") as folder:
        write_stems(folder, {"drums": torch.zeros(2, 10)}, 44_100)
    assert [path.name for path in (tmp_path / "song").iterdir()] == ["drums.flac"]


def test_the_place_of_another_run_is_not_cleared_away(tmp_path):
    other = tmp_path / ".unfinished" / "song"
    other.mkdir(parents=True)
    clear_away(tmp_path)
    assert other.is_dir()


def test_what_cannot_be_written_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OutputError, match="cannot be made a folder"):
        make_folder(tmp_path / "file")
    with pytest.raises(OutputError, match="check space"), whole_folder(tmp_path / "file" / "a"):
        pytest.fail("there is nothing to write into")
    (tmp_path / "song" / "mine").mkdir(parents=True)
    with pytest.raises(OutputError, match="check space"), whole_folder(tmp_path / "song") as new:
        write_stems(new, {"drums": torch.zeros(2, 10)}, 44_100)
    assert [path.name for path in (tmp_path / "song").iterdir()] == ["mine"]
