"""Folders that are made for files, and go again if no file comes to lie in them.

A run that is interrupted or fails shall leave nothing, so what it made empty must go; what was
there before it must stay. So this process remembers which folders are of its making, until a file
lies in them for good. Writers of the same folder, of other tracks and stems, share what is
remembered here: only the last one that gives up finds the folder empty.
"""

from __future__ import annotations

import threading
from itertools import takewhile
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["keep_folders", "open_in_new_folders", "remove_empty_folders"]

_BUFFER_BYTES = 1 << 18
_lock = threading.Lock()
_made: set[Path] = set()


def open_in_new_folders(path: Path) -> IO[bytes]:
    """Create a file, and whatever folders it takes.

    Args:
        path: where nothing is yet.

    Raises:
        OSError: one of them cannot be created; then none of the folders is left.
    """
    with _lock:
        try:
            return _open(path)
        except BaseException:
            _remove_empty(path.parent)
            raise


def keep_folders(path: Path) -> None:
    """A file has come to stay: the folders above it are nobody's to remove.

    Args:
        path: the file.
    """
    with _lock:
        _made.difference_update(path.parents)


def remove_empty_folders(path: Path) -> None:
    """Remove the folders above a file that is gone, as far as they are empty and were made here.

    Args:
        path: where the file was.
    """
    with _lock:
        _remove_empty(path.parent)


def _open(path: Path, attempts: int = 5) -> IO[bytes]:
    try:
        _make(path.parent)
        return path.open("xb", buffering=_BUFFER_BYTES)
    except FileNotFoundError:
        # Another process, which had made the folder, has just found it empty.
        if attempts == 1:
            raise
        return _open(path, attempts - 1)


def _make(folder: Path) -> None:
    # Up to the first that is there; of a drive that is not, none is.
    missing = list(takewhile(lambda each: not each.exists(), (folder, *folder.parents)))
    for each in reversed(missing):
        try:
            each.mkdir()
        except OSError as error:
            if not (isinstance(error, FileExistsError) and each.is_dir()):
                _remove_empty(each.parent)
                raise
        else:
            _made.add(each)


def _remove_empty(folder: Path) -> None:
    while folder in _made:
        try:
            folder.rmdir()
        except FileNotFoundError:
            pass
        except OSError:
            return
        _made.discard(folder)
        folder = folder.parent
