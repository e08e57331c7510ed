"""A lock between processes, held on a file and released by the system when its holder dies."""

from __future__ import annotations

import errno
import os
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FileLock"]

_POLL_S = 0.1
# What flock says on file systems without locks: some network disks, and FUSE. The last one is for
# folders on NFS, which locks only what is open for writing.
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EBADF}

if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


class FileLock:
    """Held by one process at a time.

    The empty file stays: whoever removed it could remove the lock of a third process that had
    just taken hold of a new file of the same name.

    Args:
        path: the file; never removed. Or, but for Windows, a folder.
        creates: whether to make the file where it is missing; False for folders, which another
            process may remove at any moment: a file of that name would stay.

    Attributes:
        excludes_others: False once it was acquired on a file system that has no locks.
    """

    def __init__(self, path: Path, *, creates: bool = True) -> None:
        self.excludes_others = True
        self._path = path
        self._creates = creates
        self._descriptor: int | None = None

    def acquire(self, wait_s: float) -> bool:
        """Take the lock, waiting for another holder.

        Args:
            wait_s: longest time to wait in seconds.

        Returns:
            False if another process still holds it, or has removed what was to be locked. On a file
            system without locks always True, and `excludes_others` is False: then several may be at
            work, and must not meet.

        Raises:
            OSError: the file cannot be created or locked.
        """
        try:
            descriptor = self._open()
        except FileNotFoundError:
            if self._creates:
                raise
            return False
        with ExitStack() as stack:
            stack.callback(os.close, descriptor)
            if not self._is_locked(descriptor, wait_s):
                return False
            if not self.excludes_others:
                return True  # nothing is held
            if not self._is_at_its_place(descriptor):
                return False
            stack.pop_all()  # it stays open until it is given back
        self._descriptor = descriptor
        return True

    def _open(self) -> int:
        return os.open(self._path, os.O_RDWR | os.O_CREAT if self._creates else os.O_RDONLY, 0o666)

    def _is_locked(self, descriptor: int, wait_s: float) -> bool:
        """Whether the lock came free in time, or the file system has none."""
        give_up = time.monotonic() + wait_s
        try:
            while not _try_lock(descriptor):
                if time.monotonic() >= give_up:
                    return False
                time.sleep(_POLL_S)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            self.excludes_others = False
        return True

    def _is_at_its_place(self, descriptor: int) -> bool:
        """Whether what was opened is still what others would open."""
        try:
            return os.path.samestat(os.fstat(descriptor), self._path.stat())
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Give the lock back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
