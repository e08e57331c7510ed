"""Keep the memory of a process where it is: the callback must not wait for a page.

Memory that was asked for is fetched when it is first touched, and what has not been used for a
while may be given away again. For a ring that is larger than a processor's cache that means a few
milliseconds of the kernel's time, now and then, in the middle of a block.
"""

from __future__ import annotations

import ctypes
import sys

__all__ = ["lock_memory"]

_ALL_THERE_IS = 1
"""MCL_CURRENT. Not what comes later (MCL_FUTURE): that would fail where little may be locked."""


def lock_memory() -> bool:
    """Fetch all memory of this process and keep it; return whether the system allowed it.

    Linux and macOS; it takes a user who may lock that much (the group `audio`, usually).
    """
    if sys.platform == "win32":
        return False
    try:
        locked: int = ctypes.CDLL(None).mlockall(_ALL_THERE_IS)
    except (OSError, AttributeError):
        return False
    return locked == 0
