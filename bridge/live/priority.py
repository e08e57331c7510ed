"""Come before what computes: the scheduling of a process that a sound card waits for.

A sound server runs its callbacks at real-time priority. A callback in Python also needs the
interpreter's lock, and a thread of ordinary priority that holds it can be off the processor for
milliseconds while the engine computes. So all threads of the process get real-time priority, a low
one: what the sound server itself runs stays before them.
"""

from __future__ import annotations

import contextlib
import os

__all__ = ["raise_priority"]

_NICE = -11
"""What desktops give to sound servers."""


def raise_priority() -> bool:
    """Take real-time priority for this thread and all that it will start; return whether it worked.

    It takes a user who may do that (the group `audio`, usually). Others are asked for a better
    place among ordinary processes, and if that is refused too, nothing has changed.
    """
    if hasattr(os, "sched_setscheduler"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(
                0, os.SCHED_RR, os.sched_param(os.sched_get_priority_min(os.SCHED_RR))
            )
            return True
    if hasattr(os, "setpriority"):
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, _NICE)
            return True
    return False
