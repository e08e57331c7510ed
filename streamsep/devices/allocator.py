"""What the C library does with memory that torch frees.

A network allocates and frees the same few hundred megabytes for every segment. glibc gives large
blocks back to the operating system at once and gets them anew, page by page and every page zeroed:
a quarter of the time of a long segment. Here it is told to keep them, and to keep them in one
place: by default every thread has a heap of its own, with leftovers that no other thread can use.
"""

from __future__ import annotations

import ctypes
import platform

__all__ = ["keep_freed_memory", "return_freed_memory"]

# From malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
_LARGEST = 1 << 30
"""Bytes: blocks up to here come from the heap, and as much may lie idle at its end."""
_LARGE = 1 << 20
"""Bytes: blocks from here on come from the system, while freed memory is returned."""


def return_freed_memory() -> bool:
    """Fetch large blocks from the system and return them at once; tell whether glibc was willing.

    For what is allocated to stay, such as weights: it leaves no holes in the heap, and what it was
    made of leaves none either. `keep_freed_memory` ends it.
    """
    return _set_options({_M_MMAP_THRESHOLD: _LARGE, _M_ARENA_MAX: 1})


def keep_freed_memory() -> bool:
    """Keep freed memory in the process; return whether the C library was willing.

    Only glibc is asked. Asking twice changes nothing.
    """
    options = {_M_MMAP_THRESHOLD: _LARGEST, _M_TRIM_THRESHOLD: _LARGEST, _M_ARENA_MAX: 1}
    return _set_options(options)


def _set_options(options: dict[int, int]) -> bool:
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    willing = [libc.mallopt(option, value) for option, value in options.items()]
    # What loading has left behind is none of this.
    libc.malloc_trim(0)
    return all(willing)
