"""Two computations at the same time, each on processors of its own.

OpenMP shares every single operation out among all threads, which meet again behind it. For a
network of thousands of small operations that is dearly bought. It costs half as much processor
time again, and as soon as another program keeps one of the processors busy, everybody waits at
every meeting until the one that was interrupted goes on: a hop of 70 ms was seen to take 900. Two
parts that need nothing of each other can be computed by a thread each, which meet once.
"""

from __future__ import annotations

import threading
import weakref
from concurrent.futures import Future
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeVar

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["side_by_side", "threads"]

A = TypeVar("A")
B = TypeVar("B")


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Within it, the calling thread computes with so many of torch's threads, itself among them."""
    before = torch.get_num_threads()
    if count == before:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def side_by_side(
    first: Callable[[], A], second: Callable[[], B], *, second_threads: int
) -> tuple[A, B]:
    """Compute two things that do not touch each other's memory; returns when both are done.

    Args:
        first: is computed by the calling thread.
        second: is computed meanwhile by another, which waits beside this one from the first call on
            until this one ends; gradients are recorded there or not as they are here.
        second_threads: how many of torch's threads it has; 0 if it is to be computed here instead,
            before the first.

    Raises:
        Exception: whatever the first raises, or else the second.
    """
    if second_threads < 1:
        done = second()
        return first(), done
    companion: _Companion | None = getattr(_of_thread, "companion", None)
    if companion is None:
        companion = _of_thread.companion = _Companion()
    inference = torch.is_inference_mode_enabled()

    def beside() -> B:
        with torch.inference_mode(inference), threads(second_threads):
            return second()

    pending = companion.begin(beside)
    try:
        own = first()
    except BaseException:
        pending.exception()  # it must not go on with what the caller may now take apart
        raise
    return own, pending.result()


class _Companion:
    """A thread that computes beside another one, one thing after the other."""

    def __init__(self) -> None:
        self._asked: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        threading.Thread(target=_work_off, args=(self._asked,), name="beside", daemon=True).start()
        weakref.finalize(self, self._asked.put, None)

    def begin(self, work: Callable[[], B]) -> Future[B]:
        result: Future[B] = Future()

        def run() -> None:
            try:
                result.set_result(work())
            except BaseException as error:  # noqa: BLE001 - it is raised where it was asked for
                result.set_exception(error)

        self._asked.put(run)
        return result


def _work_off(asked: SimpleQueue[Callable[[], None] | None]) -> None:
    # A thread takes over what holds for all when it is first asked; it must not be later.
    torch.get_num_threads()
    while (work := asked.get()) is not None:
        work()
        del work  # and with it what it has kept alive


_of_thread = threading.local()
