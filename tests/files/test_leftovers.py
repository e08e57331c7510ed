from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from streamsep.files import Encoding, StemWriter, leftovers, remove_leftovers
from streamsep.files.leftovers import unfinished_path


def test_an_unfinished_name_is_hidden_and_in_the_same_folder() -> None:
    path = unfinished_path(Path("out/vocals.wav"))
    assert path.parent == Path("out")
    assert path.name.startswith(f".vocals.{os.getpid()}-")
    assert path.name.endswith(".part.wav")


def test_an_unfinished_name_fits_where_the_finished_one_does() -> None:
    assert len(os.fsencode(unfinished_path(Path("漢" * 83 + ".flac")).name)) <= 255


def test_leftovers_go_and_everything_else_stays(tmp_path: Path) -> None:
    killed = tmp_path / ".vocals.123-0a1b2c3d.part.flac"
    own = unfinished_path(tmp_path / "drums.wav")  # as in a container, where process ids recur
    for path in (killed, own, tmp_path / "vocals.wav", tmp_path / ".vocals.part.wav"):
        path.touch()
    assert sorted(remove_leftovers(tmp_path)) == sorted([killed, own])
    assert sorted(p.name for p in tmp_path.iterdir()) == [".vocals.part.wav", "vocals.wav"]


def test_a_living_writer_keeps_its_file(tmp_path: Path) -> None:
    with StemWriter(tmp_path / "vocals.wav", 44_100, 2, Encoding()):
        assert remove_leftovers(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["vocals.wav"]


@pytest.mark.skipif(sys.platform == "win32", reason="no open file can be renamed there")
def test_whoever_clears_away_takes_nothing_from_those_who_write(tmp_path: Path) -> None:
    """Also not in the moments before a file is locked and before it has its name."""
    over = threading.Event()

    def clear() -> None:
        while not over.is_set():
            remove_leftovers(tmp_path)

    clearing = [threading.Thread(target=clear) for _ in range(2)]
    for thread in clearing:
        thread.start()
    try:
        for number in range(150):
            path = tmp_path / f"{number}.wav"
            with StemWriter(path, 44_100, 2, Encoding()):
                pass
            assert path.is_file()
    finally:
        over.set()
        for thread in clearing:
            thread.join()


@pytest.mark.skipif(sys.platform == "win32", reason="locks are POSIX here")
def test_a_file_that_took_the_name_of_a_leftover_meanwhile_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = unfinished_path(tmp_path / "vocals.wav")
    path.touch()
    lock = leftovers.fcntl.flock

    def lock_late(*arguments: object) -> None:
        lock(*arguments)
        path.rename(tmp_path / "old")
        path.write_text("of its writer")

    monkeypatch.setattr(leftovers.fcntl, "flock", lock_late)
    assert remove_leftovers(tmp_path) == []
    assert path.read_text() == "of its writer"


def test_a_missing_folder_holds_no_leftovers(tmp_path: Path) -> None:
    assert remove_leftovers(tmp_path / "nowhere") == []


@pytest.mark.skipif(sys.platform == "win32", reason="locks are POSIX here")
def test_the_file_of_a_killed_process_is_a_leftover(tmp_path: Path) -> None:
    script = (
        "import pathlib, runpy, sys, time\n"
        "leftovers = runpy.run_path(sys.argv[2])\n"  # alone: the package would import torch
        "stem = pathlib.Path(sys.argv[1]) / 'vocals.wav'\n"
        "file = leftovers['unfinished_path'](stem).open('xb')\n"
        "leftovers['mark_unfinished'](file.fileno())\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    command = [sys.executable, "-IS", "-c", script, str(tmp_path), leftovers.__file__]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert remove_leftovers(tmp_path) == []
        process.kill()
    assert len(remove_leftovers(tmp_path)) == 1
    assert list(tmp_path.iterdir()) == []
