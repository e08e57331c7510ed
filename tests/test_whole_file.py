"""A file has its name only when it is whole, and an older one stays until then."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from streamsep.whole_file import whole_file

if TYPE_CHECKING:
    from pathlib import Path


def write_half_and_raise(path: Path, error: BaseException) -> None:
    with whole_file(path) as part:
        part.write_text("half")
        raise error


def test_it_takes_the_place_of_an_older_one_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    for content in ("first", "second"):
        with whole_file(path) as part:
            part.write_text(content)
            assert not path.exists() or path.read_text() == "first"
        assert path.read_text() == content
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    "error", [OSError("no space"), ValueError("no number"), KeyboardInterrupt()]
)
def test_after_an_error_the_older_one_is_as_it_was(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "file.txt"
    path.write_text("older")
    with pytest.raises(type(error)):
        write_half_and_raise(path, error)
    assert path.read_text() == "older"
    assert list(tmp_path.iterdir()) == [path]


def test_a_killed_process_leaves_the_older_one(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("older")
    script = (
        "import os, pathlib, signal, sys\n"
        "from streamsep.whole_file import whole_file\n"
        "with whole_file(pathlib.Path(sys.argv[1])) as part:\n"
        "    part.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script, path], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert path.read_text() == "older"
