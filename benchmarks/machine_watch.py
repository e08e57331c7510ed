"""Whether the machine itself stood still: somebody who comes before all others, and looks.

A virtual machine stops when its host has something else to do, and a kernel that cannot be
interrupted in the middle of its own work stops a processor. Whatever is late then is late, however
it was written. So a process per processor, bound to it and before all else in priority, sleeps for
a millisecond again and again and notes when it woke up late.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

__all__ = ["MachineWatch", "watching"]

_NAP_S = 1e-3
_LATE_S = 1.5e-3
"""A quarter of a block of 256 samples."""
_PRIORITY = 95


class MachineWatch:
    """Watches until it is closed.

    Raises:
        PermissionError: this user may not have real-time priority.
    """

    def __init__(self) -> None:
        self._stops: list[tuple[float, float]] = []
        self._watchers = []
        context = multiprocessing.get_context("spawn")
        for processor in sorted(os.sched_getaffinity(0)):
            here, there = context.Pipe()
            process = context.Process(target=_watch, args=(processor, there), daemon=True)
            process.start()
            self._watchers.append((process, here))
        for _, pipe in self._watchers:
            problem = pipe.recv()
            if problem is not None:
                raise problem

    def close(self) -> None:
        """Watch no more."""
        for process, _ in self._watchers:
            process.kill()
            process.join()

    def stood_still(self, begin_s: float, end_s: float) -> bool:
        """Whether a processor did nothing for anybody at some moment of these, `time.monotonic`."""
        return self.lost_s(begin_s, end_s) > 0

    def lost_s(self, begin_s: float, end_s: float) -> float:
        """For how long a processor did nothing for anybody, of all processors together."""
        self._collect()
        return sum(max(0.0, min(last, end_s) - max(first, begin_s)) for first, last in self._stops)

    @property
    def stops(self) -> int:
        """How often a processor stood still."""
        self._collect()
        return len(self._stops)

    def _collect(self) -> None:
        for _, pipe in self._watchers:
            while pipe.poll():
                self._stops.append(pipe.recv())


@contextlib.contextmanager
def watching() -> Iterator[MachineWatch | None]:
    """A watch, where this user may have one."""
    try:
        watch = MachineWatch()
    except PermissionError:
        yield None
        return
    with contextlib.closing(watch):
        yield watch
        print(f"a processor stood still {watch.stops} times")


def _watch(processor: int, pipe: Connection) -> None:
    try:
        os.sched_setaffinity(0, {processor})
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))
    except OSError as error:
        pipe.send(error)
        return
    pipe.send(None)
    before_s = time.monotonic()
    with contextlib.suppress(OSError):
        while True:
            time.sleep(_NAP_S)
            now_s = time.monotonic()
            if now_s - before_s > _NAP_S + _LATE_S:
                pipe.send((before_s, now_s))
            before_s = now_s
