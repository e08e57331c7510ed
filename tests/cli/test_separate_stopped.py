"""`streamsep separate` when it is stopped on the way: nothing looks finished that is not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from offline.material import noise, write

from cli.conftest import stem_files, written

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.conftest import Ended

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")


def test_ctrl_c_ends_with_one_line_and_leaves_no_stem(weights: Path, folder: Path) -> None:
    with started(weights, folder) as process:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "interrupted\n")
    assert written(folder) == []
    assert "Traceback" not in out


def test_what_a_killed_run_leaves_looks_unfinished_and_the_next_run_clears_it_away(
    separate: Callable[..., Ended], weights: Path, folder: Path
) -> None:
    with started(weights, folder) as process:
        process.kill()
        process.communicate(timeout=60)
    left = written(folder)
    assert len(left) == 4
    assert all(Path(name).name.startswith(".") and ".part." in name for name in left)
    write(folder / "song.wav", noise(2, 2_000))
    assert separate("song.wav").code == 0
    assert written(folder) == stem_files()


def test_programs_hear_of_a_track_before_the_others_have_ended(weights: Path, folder: Path) -> None:
    write(folder / "short.wav", noise(2, 2_000))
    with started(weights, folder, "short.wav", "--json") as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert (told["source"], told["frames"]) == ("short.wav", 2_000)
    assert (process.returncode, out) == (130, "")


def started(weights: Path, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """A real process in the middle of a song that is far too long to be finished soon."""
    write(folder / "song.wav", noise(2, 60 * 44_100), subtype="PCM_16")
    command = [sys.executable, "-m", "streamsep", "separate", "-n", weights, "song.wav"]
    process = subprocess.Popen(
        [*map(str, command), "--segment", "2", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    part = "separated/tiny/song/.vocals.*.part.wav"
    while not any(path.stat().st_size for path in folder.glob(part)):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    return process
