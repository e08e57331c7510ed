"""Mistakes at the command line: one line, exit code 2, no traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from cli.commands import streamsep

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "song.wav"
    soundfile.write(path, np.zeros((4410, 2)), 44100)
    return path


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["frobnicate"], "frobnicate"),
        (["models", "--frobnicate"], "--frobnicate"),
        (["render"], "OUT"),
        (["train", "startr", "--data", ".", "--out", "."], "did you mean 'starter'"),
        (["separate", "SONG", "-n", "hdemucs_mni"], "did you mean 'hdemucs_mmi'"),
        (["separate", "SONG", "--latency-preset", "studo"], "did you mean 'studio'"),
    ],
)
def test_a_mistake_gets_one_line_and_code_2(arguments: list[str], said: str, song: Path) -> None:
    done = streamsep(*(str(song) if word == "SONG" else word for word in arguments))
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_no_arguments_show_the_help() -> None:
    done = streamsep()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: streamsep")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for a single process")
def test_ctrl_c_ends_with_130_and_one_line() -> None:
    program = (
        "import os, signal, streamsep.cli.app as cli\n"
        "cli.app.command('wait')(lambda: os.kill(os.getpid(), signal.SIGINT))\n"
        "import sys; sys.argv = ['streamsep', 'wait']; cli.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (128 + signal.SIGINT, "interrupted\n")


@pytest.mark.skipif(os.name == "nt", reason="Windows reports a closed pipe in another way")
def test_a_reader_who_leaves_causes_no_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "streamsep", "presets", "--json"],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")
