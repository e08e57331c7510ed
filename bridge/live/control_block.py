"""The mixer's controls in memory that two processes share.

A mapped file, not `multiprocessing.shared_memory`: that would start a process of its own for every
child, which removes the memory when the child ends, though the next child needs it.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from bridge.mixing import MixControls

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["make_control_file", "open_control_block", "remove_control_file"]

_PREFIX = "streamsep-controls-"
_SIZE = 4096
"""Enough for 160 stems."""
_IN_MEMORY = Path("/dev/shm")


def make_control_file() -> Path:
    """A new file of zeros that only this user may open, in memory where the system has such.

    Files of processes that were killed are removed.
    """
    in_memory = _IN_MEMORY.is_dir() and os.access(_IN_MEMORY, os.W_OK)
    folder = _IN_MEMORY if in_memory else Path(tempfile.gettempdir())
    for file in folder.glob(f"{_PREFIX}*"):
        owner = file.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            with contextlib.suppress(OSError):  # another user's
                file.unlink()
    handle, name = tempfile.mkstemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=folder)
    os.truncate(handle, _SIZE)
    os.close(handle)
    return Path(name)


def remove_control_file(path: Path) -> None:
    """Remove it; where a mapped file cannot be removed, the next loop does."""
    with contextlib.suppress(OSError):
        path.unlink()


def open_control_block(
    stems: Sequence[str],
    path: str | Path | None,
    settings: Sequence[tuple[str, float]] = (),
) -> MixControls:
    """The controls in such a file.

    Args:
        stems: their names.
        path: of the file; None for controls that nobody else sees.
        settings: of controls, by name, if nobody has used the block before.

    Raises:
        ConfigError: a setting is wrong, or the block is that of other stems.
    """
    if path is None:
        memory: mmap.mmap | bytearray = bytearray(_SIZE)
        fresh = True
    else:
        with Path(path).open("r+b") as file:
            memory = mmap.mmap(file.fileno(), _SIZE)
        fresh = not any(memory[:8])
    controls = MixControls(stems, memory)
    if fresh:
        for name, value in settings:
            controls.set(name, value)
    return controls
