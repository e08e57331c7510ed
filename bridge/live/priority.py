"""Come before what computes: the scheduling of a process that a sound card waits for.

A sound server runs its callbacks at real-time priority. A callback in Python also needs the
interpreter's lock, and a thread of ordinary priority that holds it can be off the processor for
milliseconds while the engine computes. So all threads of the process get real-time priority, a low
one: what the sound server itself runs stays before them. They get it once they play and not before,
for what loads modules and looks for devices would hold up everybody else.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

__all__ = ["raise_priority"]

_NICE = -11
"""What desktops give to sound servers."""
_THREADS = Path("/proc/self/task")


def raise_priority() -> bool:
    """Take real-time priority for all threads that there are; return whether it worked.

    Processes started afterwards are ordinary ones. It takes a user who may do that (the group
    `audio`, usually). Others are asked for a better place among ordinary processes, and if that is
    refused too, nothing has changed.
    """
    if hasattr(os, "sched_setscheduler"):
        with contextlib.suppress(OSError):
            for thread in _threads():
                _make_real_time(thread)
            return True
    if hasattr(os, "setpriority"):
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, _NICE)
            return True
    return False


def _threads() -> list[int]:
    """Every thread of this process; where there is no way to ask, the one that asks."""
    return [int(each.name) for each in _THREADS.iterdir()] if _THREADS.is_dir() else [0]


def _make_real_time(thread: int) -> None:
    # One that has real-time priority already has it from the sound server, which knows better.
    if os.sched_getscheduler(thread) == os.SCHED_OTHER:
        lowest = os.sched_param(os.sched_get_priority_min(os.SCHED_RR))
        policy = os.SCHED_RR | getattr(os, "SCHED_RESET_ON_FORK", 0)
        with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
            os.sched_setscheduler(thread, policy, lowest)
