"""A process that may not have more memory goes on with shorter segments, or ends with a line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from offline.material import listing, noise, write

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="only Linux limits the memory of a process"
)

TESTS = Path(__file__).parents[1]


def separated(tmp_path: Path, limit_mib: int) -> list[str]:
    """What a process says that separates two songs of 12 s, 10 s at once, in so much memory."""
    for number in range(2):
        write(tmp_path / "songs" / f"song{number}.wav", noise(2, 12 * 44_100), subtype="PCM_16")
    command = [sys.executable, TESTS / "offline" / "limited_memory.py"]
    ended = subprocess.run(
        [*map(str, command), str(tmp_path / "songs"), str(tmp_path / "out"), str(limit_mib)],
        env={**os.environ, "PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout.splitlines()


def test_segments_become_shorter_until_they_fit(tmp_path: Path) -> None:
    # 10 s take 4206 MiB, 5 s take 2103; the heaps of the threads may take hundreds.
    assert separated(tmp_path, 3_700) == [
        "memory ran out with segments of 10.0 s: going on with 5.0 s",
        "529200",
        "529200",
    ]
    assert len(listing(tmp_path / "out")) == 8


def test_where_nothing_fits_every_track_has_one_clear_error_and_no_files(tmp_path: Path) -> None:
    # The last segments take 526 MiB. With much less than this the C library itself may end the
    # process, for want of room for a thread's own variables: with 128 MiB, once in twelve.
    lines = separated(tmp_path, 440)
    errors = [line for line in lines if "going on with" not in line]
    assert len(errors) == 2
    assert all(line.startswith("memory ran out even with segments of 1.") for line in errors)
    assert listing(tmp_path / "out") == []
