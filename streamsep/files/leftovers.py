"""Names of unfinished stems, and clearing away those of runs that were killed.

An unfinished `vocals.wav` is called `.vocals.<process>-<random>.part.wav` and lies in the folder of
the finished one, so that finishing is one atomic rename. Its writer holds a lock on it, which the
operating system drops however the writer ends: a name of this form without a lock is a leftover.
(The process id in the name is for people. As proof of life it would fail in containers, where every
run may have the same one.)
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import sys
from typing import TYPE_CHECKING

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["mark_unfinished", "remove_leftovers", "unfinished_path"]

_log = logging.getLogger(__name__)

_UNFINISHED = re.compile(r"\..+\.\d+-[0-9a-f]{8}\.part\.(wav|flac|mp3)")
# File names may have 255 bytes, and a character up to four.
_KEPT_OF_NAME = 40


def unfinished_path(path: Path) -> Path:
    """A new name for the unfinished form of a file, in the same folder."""
    unique = f"{os.getpid()}-{secrets.token_hex(4)}"
    return path.with_name(f".{path.stem[:_KEPT_OF_NAME]}.{unique}.part{path.suffix}")


def mark_unfinished(descriptor: int) -> bool:
    """Lock an open unfinished file, as a sign that its writer lives.

    On Windows the open file itself is the sign: it cannot be deleted.

    Returns:
        Whether it still is in its folder. Before it was locked, somebody who clears away could take
        it for a leftover.
    """
    if sys.platform != "win32":
        try:
            # Waits at most for somebody who is just removing it.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:
            _log.debug("no lock on this file system: %s", error)
    return os.fstat(descriptor).st_nlink > 0


def remove_leftovers(folder: Path) -> list[Path]:
    """Delete unfinished stems in a folder whose writers have ended.

    Args:
        folder: Where to look; not below it. A folder that is not there holds no leftovers.

    Returns:
        What was deleted. What cannot be deleted stays, and is logged.
    """
    removed = []
    try:
        unfinished = [path for path in folder.iterdir() if _UNFINISHED.fullmatch(path.name)]
    except OSError:
        return []
    for path in unfinished:
        try:
            if _remove_abandoned(path):
                removed.append(path)
        except OSError as error:
            _log.warning("could not remove the leftover '%s': %s", path, error.strerror)
    return removed


def _remove_abandoned(path: Path) -> bool:
    """Remove a file unless its writer lives; with its lock, so that nobody gets it meanwhile."""
    if sys.platform == "win32":
        try:
            path.unlink()
        except PermissionError:  # its writer has it open
            return False
        return True
    try:
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:  # locked by its writer, or a file system without locks: leave it
                return False
            # Somebody else may have removed it meanwhile, and its writer begun another of the name.
            if not os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return False
            path.unlink()
    except FileNotFoundError:
        return False
    return True
