"""What can go wrong on a disk loses nothing."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_run import tiny_config, write_song

from streamsep.errors import InputError, OutputError, TrainingError
from streamsep.training.loop import TrainingRun
from streamsep.training.team import Team


@pytest.fixture
def songs(tmp_path):
    for seed in range(2):
        write_song(tmp_path / "songs" / f"song-{seed}", seed=seed)
    return tmp_path / "songs"


def raising(error: Exception):
    def raise_it(*_: object, **__: object) -> None:
        raise error

    return raise_it


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not limit the size of files")
def test_a_full_disk_leaves_the_checkpoint_before_it(songs, tmp_path):
    out = tmp_path / "out"
    TrainingRun(tiny_config(steps=2), songs, out).run()
    before = (out / "checkpoint.pt").read_bytes()
    here = Path(__file__).parent
    # Half a checkpoint fits, as on a disk with little room.
    stopped = subprocess.run(
        [sys.executable, here / "full_disk_run.py", songs, out, str(len(before) // 2)],
        env={**os.environ, "PYTHONPATH": str(here.parent.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert stopped.returncode == 1, stopped.stderr
    assert len(stopped.stderr.splitlines()) == 1, stopped.stderr
    assert f"cannot write the checkpoint {out / 'checkpoint.pt'}" in stopped.stderr
    assert "the one before is kept" in stopped.stderr
    assert (out / "checkpoint.pt").read_bytes() == before
    assert not (out / "checkpoint.part").exists()
    assert TrainingRun(tiny_config(), songs, out).step == 2


def test_a_checkpoint_that_cannot_be_read_is_not_called_damaged(songs, tmp_path):
    path = tmp_path / "out" / "checkpoint.pt"
    path.mkdir(parents=True)  # cannot be read by anyone, root included
    with pytest.raises(TrainingError, match=r"cannot read the checkpoint .*is left as it is"):
        TrainingRun(tiny_config(), songs, tmp_path / "out")


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), r"Permission denied; it is left"),
        (OSError(errno.EIO, "Input/output error"), r"Input/output error; it is left"),
        (torch.OutOfMemoryError("CUDA out of memory"), r"not enough memory .*it is left as it is"),
        (MemoryError(), r"not enough memory .*it is left as it is"),
    ],
)
def test_what_keeps_a_checkpoint_from_being_read_is_named(
    raised, said, songs, tmp_path, monkeypatch
):
    out = tmp_path / "out"
    TrainingRun(tiny_config(steps=1), songs, out).run()
    with monkeypatch.context() as patch:
        patch.setattr(torch, "load", raising(raised))
        with pytest.raises(TrainingError, match=said) as caught:
            TrainingRun(tiny_config(), songs, out)
    assert "\n" not in str(caught.value)
    assert TrainingRun(tiny_config(), songs, out).step == 1


def test_a_checkpoint_is_read_where_there_is_the_most_memory(songs, tmp_path, monkeypatch):
    TrainingRun(tiny_config(steps=1), songs, tmp_path / "out").run()
    places = []
    load = torch.load

    def watched(*arguments, map_location=None, **options):
        places.append(map_location)
        return load(*arguments, map_location=map_location, **options)

    monkeypatch.setattr(torch, "load", watched)
    # No computation, and so the one device besides the CPU that every machine has.
    TrainingRun(tiny_config(), songs, tmp_path / "out", team=Team(device=torch.device("meta")))
    assert places == ["cpu"]


def test_a_folder_that_cannot_be_made_is_named(songs, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot write to .*file.*name another folder"):
        TrainingRun(tiny_config(), songs, tmp_path / "file" / "out")


def test_songs_that_vanish_end_the_run_with_one_line(songs, tmp_path):
    for workers in (0, 1):
        run = TrainingRun(tiny_config(), songs, tmp_path / "out", workers=workers)
        away = songs.rename(tmp_path / "elsewhere")
        with pytest.raises(InputError, match="none of the 2 songs can be read") as caught:
            run.run()
        assert "Traceback" not in str(caught.value)
        assert not run.checkpoint.exists()
        away.rename(songs)


def test_a_checkpoint_holds_nothing_but_data(songs, tmp_path):
    TrainingRun(tiny_config(steps=1), songs, tmp_path / "out").run()
    content = torch.load(tmp_path / "out" / "checkpoint.pt", weights_only=True)
    assert content["step"] == 1
    assert content["options"]["hidden"] == 4
