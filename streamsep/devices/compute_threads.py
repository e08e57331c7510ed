"""Threads that compute with all processors, while the other threads of the process use one.

OpenMP gives every thread that computes a team of its own, and keeps it for the next time. When all
teams together have more members than there are processors, it lets them sleep at every barrier
instead of waiting awake for the next few microseconds of work: an LSTM, which meets a barrier at
every step, takes four times as long, a whole network one and a half times.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ComputeThreads"]


class ComputeThreads:
    """Daemon threads that share the processors of the thread that starts them.

    While they run, that thread and all that begin have one of torch's threads. Several groups may
    run at the same time.

    Args:
        work: what each of them does.
        name: of the threads.
        count: how many there are, at least 1.
    """

    def __init__(self, work: Callable[[], None], *, name: str, count: int = 1) -> None:
        self._work = work
        self._before = self._each = 1
        self._settled = threading.Semaphore(0)
        self._threads = [
            threading.Thread(target=self._run, name=name, daemon=True) for _ in range(count)
        ]

    def start(self) -> None:
        """Start them all; returns when each has its processors."""
        self._before = torch.get_num_threads()
        self._each = max(1, self._before // len(self._threads))
        for thread in self._threads:
            thread.start()
            self._settled.acquire()
        _groups.enter(self._before)
        # What they have set for themselves would hold for all that begin from now on.
        torch.set_num_threads(1)
        _dissolve_team()

    def join(self) -> None:
        """Wait for their end, and have as many of torch's threads as before; call it where started.

        Whether and when they end is up to the work.
        """
        try:
            for thread in self._threads:
                thread.join()
        finally:  # whoever is interrupted while waiting may go on with torch
            torch.set_num_threads(_groups.leave(self._before))

    def _run(self) -> None:
        torch.set_num_threads(self._each)
        # A thread takes over what holds for all when it is first asked; it must not be later.
        torch.get_num_threads()
        self._settled.release()
        self._work()


class _Groups:
    """The groups that run in this process: who leaves last restores what the first one found."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0
        self._usual = 1

    def enter(self, threads: int) -> None:
        """A group starts, where torch has so many threads."""
        with self._lock:
            if self._running == 0:
                self._usual = threads
            self._running += 1

    def leave(self, threads: int) -> int:
        """A group whose starter had so many threads ends; how many are to hold from now on."""
        with self._lock:
            self._running -= 1
            return threads if self._running else self._usual


_groups = _Groups()


def _dissolve_team() -> None:
    """Let the team of this thread go, which it may have from loading a network."""
    if sys.platform != "linux":
        return
    pause = getattr(ctypes.CDLL(None), "omp_pause_resource_all", None)
    if pause is not None:
        pause(_OMP_PAUSE_SOFT)


_OMP_PAUSE_SOFT = 1
"""Of OpenMP 5.0: what has been set stays."""
