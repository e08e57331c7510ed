"""One run in a folder at a time: two would take each other's half-written files for their own."""

from __future__ import annotations

import sys
from contextlib import contextmanager, suppress
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


_LOCK_FILE = ".lock"
"""Locked in place of a folder where folders cannot be."""


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep a folder, made where missing, to this run; one made for nothing goes again.

    Raises:
        ConfigError: another run is at work there.
        OutputError: the folder cannot be made, or not be written to.
    """
    is_new = not folder.exists()
    make_folder(folder)
    lock = _locked(folder)
    try:
        yield
    finally:
        if is_new:
            # Before the lock goes: whoever has waited for it sees that the folder is gone.
            with suppress(OSError):
                folder.rmdir()
        lock.release()


def _locked(folder: Path) -> FileLock:
    """The lock of a folder, once it is ours.

    Raises:
        ConfigError: another run holds it.
        OutputError: the folder cannot be written to.
    """
    if sys.platform == "win32":
        lock = FileLock(folder / _LOCK_FILE)
    else:
        lock = FileLock(folder, creates=False)
    try:
        is_free = lock.acquire(_PATIENCE_S)
        if not lock.excludes_others:
            # NFS locks only what is open for writing, and no folder can be.
            lock = FileLock(folder / _LOCK_FILE)
            is_free = lock.acquire(_PATIENCE_S)
    except OSError as error:
        raise OutputError(
            f"cannot write to {folder}: {error.strerror or error}; name another folder"
        ) from error
    if not is_free:
        raise ConfigError(
            f"another run is at work in {folder}: wait for its end, or name another folder"
        )
    return lock
