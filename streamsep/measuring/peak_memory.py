"""The largest memory that this process has taken, from a moment on where the system allows that."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import psutil

__all__ = ["forget_peak", "peak_memory_bytes"]

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")
_PEAK = "5"
"""What Linux takes for "begin anew with the largest resident size", see proc(5)."""


def forget_peak() -> None:
    """Begin anew. Only Linux can; elsewhere the peak stays that of the whole process so far."""
    with suppress(OSError):
        _CLEAR_REFS.write_text(_PEAK)


def peak_memory_bytes() -> int:
    """The largest resident size since `forget_peak`, libraries included."""
    with suppress(OSError, StopIteration, ValueError):
        lines = _STATUS.read_text().splitlines()
        line = next(line for line in lines if line.startswith("VmHWM:"))
        return 1024 * int(line.split()[1])
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource

    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else 1024 * largest
