"""Two computations at the same time, and computations with other threads than the caller's.

OpenMP shares every single operation out among all threads, which meet again behind it. For a
network of thousands of small operations that is dearly bought. It costs half as much processor
time again, and as soon as another program keeps one of the processors busy, everybody waits at
every meeting until the one that was interrupted goes on: a hop of 70 ms was seen to take 900. Two
parts that need nothing of each other can be computed by a thread each, which meet once.

How many threads share an operation is never changed on the way. torch would take the new number
for one that holds for all threads that begin later, and OpenMP would end some threads of a team and
begin others. Instead every thread has companions, each of which keeps to a number of its own.
"""

from __future__ import annotations

import os
import threading
import weakref
from concurrent.futures import Future, wait
from queue import SimpleQueue
from typing import TYPE_CHECKING, Generic, TypeVar

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["side_by_side", "with_threads"]

A = TypeVar("A")
B = TypeVar("B")


def with_threads(count: int, work: Callable[[], A]) -> A:
    """Compute something with so many of torch's threads; returns when it is done.

    It is computed by the calling thread if that has as many, or else by one that waits beside it
    from the first call on until it ends. Gradients are recorded there or not as they are here.

    Raises:
        Exception: whatever it raises.
    """
    if count == torch.get_num_threads():
        return work()
    return side_by_side(lambda: None, work, second_threads=count)[1]


def side_by_side(
    first: Callable[[], A], second: Callable[[], B], *, second_threads: int
) -> tuple[A, B]:
    """Compute two things that do not touch each other's memory; returns when both are done.

    Args:
        first: is computed by the calling thread.
        second: is computed meanwhile by another one, as in `with_threads`.
        second_threads: how many of torch's threads it has; 0 if it is to be computed here instead,
            before the first.

    Raises:
        Exception: whatever the first raises, or else the second.
    """
    if second_threads < 1:
        done = second()
        return first(), done
    inference, gradients = torch.is_inference_mode_enabled(), torch.is_grad_enabled()

    def beside() -> B:
        with torch.inference_mode(inference), torch.set_grad_enabled(gradients):
            return second()

    pending = _companion(second_threads).begin(beside)
    try:
        return first(), pending.result()
    except BaseException:
        wait([pending])  # it must not go on with what the caller may now take apart
        raise
    finally:
        del pending  # an error holds this frame, and would hold itself


class _Task(Generic[A]):
    """What a companion is asked for."""

    def __init__(self, work: Callable[[], A]) -> None:
        self._work = work
        self.result: Future[A] = Future()

    def run(self) -> None:
        try:
            self.result.set_result(self._work())
        except BaseException as error:  # noqa: BLE001 - it is raised where it was asked for
            self.result.set_exception(error)
            del self  # an error holds this frame, and would hold itself and what it was about


class _Companion:
    """A thread that computes beside another one, one thing after the other.

    Args:
        count: how many of torch's threads it has.
    """

    def __init__(self, count: int) -> None:
        self._asked: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        settled = threading.Event()
        work = threading.Thread(
            target=_work_off, args=(self._asked, count, settled), name="beside", daemon=True
        )
        work.start()
        settled.wait()
        weakref.finalize(self, self._asked.put, None)

    def begin(self, work: Callable[[], B]) -> Future[B]:
        task = _Task(work)
        self._asked.put(task.run)
        return task.result


def _work_off(
    asked: SimpleQueue[Callable[[], None] | None], count: int, settled: threading.Event
) -> None:
    with _settling:
        usual = torch.get_num_threads()
        torch.set_num_threads(count)
        # What is set last holds for all threads that begin from now on.
        restoring = threading.Thread(target=torch.set_num_threads, args=(usual,))
        restoring.start()
        restoring.join()
    settled.set()
    while (run := asked.get()) is not None:
        run()
        del run  # and with it what it has kept alive


def _companion(count: int) -> _Companion:
    """The calling thread's with so many threads; it ends with that thread."""
    companions: dict[int, _Companion] = _of_thread.__dict__.setdefault("companions", {})
    if count not in companions:
        companions[count] = _Companion(count)
    return companions[count]


_of_thread = threading.local()
_settling = threading.Lock()
"""Another thread that begins meanwhile would take our number for the usual one."""

if hasattr(os, "register_at_fork"):
    # A child has the memory of its parent, but none of the other threads.
    os.register_at_fork(after_in_child=lambda: _of_thread.__dict__.clear())
    # Nor may it wait for one of them.
    os.register_at_fork(
        before=_settling.acquire,
        after_in_parent=_settling.release,
        after_in_child=_settling.release,
    )
