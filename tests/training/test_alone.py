"""Two runs never work in one folder."""

from __future__ import annotations

import errno
import os
import stat
import sys
from typing import TYPE_CHECKING

import pytest
from cli.commands import typed

from streamsep import file_lock
from streamsep.errors import ConfigError
from streamsep.training import alone
from streamsep.training.alone import alone_in

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = """
network: {hidden: 4, n_fft: 1024, depth: 5}
segment: 16384
batch_size: 1
steps: 1
licence: none
note: none
"""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alone, "_PATIENCE_S", 0.1)


def test_a_second_run_in_a_folder_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    songs, out, config = tmp_path / "songs", tmp_path / "run", tmp_path / "run.yaml"
    config.write_text(SETTINGS)
    render = ("render", songs, "--count", 1, "--seconds", 4)
    train = ("train", config, "--data", songs, "--out", out)
    with alone_in(songs):
        typed(capsys, *render).check_one_line(2, f"another run is at work in {songs}")
    assert typed(capsys, *render).code == 0
    with alone_in(out):
        typed(capsys, *train).check_one_line(2, f"another run is at work in {out}")
        remix = ("remix", songs, out)
        typed(capsys, *remix).check_one_line(2, f"another run is at work in {out}")
    assert typed(capsys, *train).code == 0


@pytest.mark.skipif(sys.platform == "win32", reason="locks are POSIX here")
def test_where_folders_have_no_locks_a_run_goes_on_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr(file_lock.fcntl, "flock", flock)
    with alone_in(tmp_path / "run"):
        assert list(tmp_path.iterdir()) == [tmp_path / "run"]


@pytest.mark.skipif(sys.platform == "win32", reason="locks are POSIX here")
def test_where_only_files_can_be_locked_a_run_is_alone_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_system = file_lock.fcntl.flock

    def flock(descriptor: int, operation: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):  # as on NFS
            raise OSError(errno.EBADF, "Bad file descriptor")
        of_system(descriptor, operation)

    monkeypatch.setattr(file_lock.fcntl, "flock", flock)
    with (
        alone_in(tmp_path),
        pytest.raises(ConfigError, match="another run is at work"),
        alone_in(tmp_path),
    ):
        pass
    with alone_in(tmp_path):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="its lock is a file, which stays")
def test_a_folder_that_stays_empty_was_made_for_nothing_and_goes(tmp_path: Path) -> None:
    with alone_in(tmp_path / "run"):
        pass
    with alone_in(tmp_path / "other"):
        (tmp_path / "other" / "file").touch()
    (tmp_path / "mine").mkdir()
    with alone_in(tmp_path / "mine"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "other"]


@pytest.mark.skipif(sys.platform == "win32", reason="its lock is a file, which stays")
def test_who_waited_for_a_folder_that_is_gone_does_not_take_it_for_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    of_system = file_lock.fcntl.flock

    def flock(descriptor: int, operation: int) -> None:
        of_system(descriptor, operation)
        folder.rmdir()
        folder.mkdir()  # another run's, begun meanwhile

    monkeypatch.setattr(file_lock.fcntl, "flock", flock)
    with pytest.raises(ConfigError, match="another run is at work"), alone_in(folder):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="its lock is a file, which stays")
def test_no_file_takes_the_place_of_a_folder_that_has_just_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make_and_lose(folder: Path) -> None:
        folder.mkdir()
        folder.rmdir()  # by the run that had made it, and ends now

    monkeypatch.setattr(alone, "make_folder", make_and_lose)
    folder = tmp_path / "run"
    with pytest.raises(ConfigError, match="another run is at work"), alone_in(folder):
        pass
    assert not folder.exists()


def test_a_folder_is_free_again_after_an_error(tmp_path: Path) -> None:
    def fail() -> None:
        with alone_in(tmp_path):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with alone_in(tmp_path):
        pass
