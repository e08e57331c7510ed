"""Two runs never work in one folder."""

from __future__ import annotations

import errno
import sys
from typing import TYPE_CHECKING

import pytest
from cli.commands import typed

from streamsep import file_lock
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


def test_a_folder_is_free_again_after_an_error(tmp_path: Path) -> None:
    def fail() -> None:
        with alone_in(tmp_path):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with alone_in(tmp_path):
        pass
