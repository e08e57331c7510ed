"""One run in a folder at a time: two would take each other's half-written files for their own."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from streamsep.errors import ConfigError, OutputError
from streamsep.file_lock import FileLock
from streamsep.training.whole_songs import make_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["alone_in"]

_PATIENCE_S = 10.0
"""The helpers of a run that was killed hold its lock until they notice, some seconds later."""


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep a folder, made where missing, to this run.

    Raises:
        ConfigError: another run is at work there.
        OutputError: the folder cannot be made, or not be written to.
    """
    make_folder(folder)
    lock = FileLock(folder / ".lock" if sys.platform == "win32" else folder)
    try:
        is_free = lock.acquire(_PATIENCE_S)
    except OSError as error:
        raise OutputError(
            f"cannot write to {folder}: {error.strerror or error}; name another folder"
        ) from error
    if not is_free:
        raise ConfigError(
            f"another run is at work in {folder}: wait for its end, or name another folder"
        )
    try:
        yield
    finally:
        lock.release()
