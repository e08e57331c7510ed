r"""Reading ahead of a computation and writing behind it, each in a thread of its own.

::

    file ── reading ──▶ ▢▢▢▢ ──▶ separating ──▶ ▢▢▢▢ ──▶ writing ── files
            a thread    channel                 channel   a thread

While a segment is computed, the next blocks are decoded and the last stems encoded. Channels are
short: who is too fast waits, and memory stays flat.

An error of either thread comes out in the middle, at the next block that is taken or handed on. If
the middle fails, or is interrupted, both threads stop before the contexts are left: what they work
on can then be closed and removed.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

__all__ = ["read_ahead", "write_behind"]

DEPTH = 4
"""Items that a channel holds."""

T = TypeVar("T")


@contextmanager
def read_ahead(items: Iterator[T], *, depth: int = DEPTH) -> Generator[Iterator[T], None, None]:
    """Iterate in another thread, so far ahead of who takes the items.

    Args:
        items: what is iterated over; only that thread touches it.
        depth: items that may wait to be taken, at least 1.

    Yields:
        The same items. What `items` raises is raised after the last of them.
    """
    channel: _Channel[T] = _Channel(depth)

    def fill() -> None:
        try:
            for item in items:
                if not channel.put(item):
                    break
        except BaseException as error:  # noqa: BLE001 - it is raised where the items are taken
            channel.end(error)
        else:
            channel.end()

    reading = _Helper(fill, "read-ahead", channel)
    try:
        yield iter(channel)
    finally:
        channel.close()
        reading.wait()


@contextmanager
def write_behind(
    write: Callable[[T], None], *, depth: int = DEPTH
) -> Generator[Callable[[T], None], None, None]:
    """Do something with items in another thread, in their order, behind who hands them on.

    Leaving the context waits until all are done; leaving it by an error drops those that wait.

    Args:
        write: what is done with each; only that thread calls it.
        depth: items that may wait, at least 1.

    Yields:
        Hands on an item, waiting for room. What `write` has raised it raises, and so does leaving.
    """
    channel: _Channel[T] = _Channel(depth)
    failures: list[BaseException] = []

    def drain() -> None:
        try:
            for item in channel:
                write(item)
        except BaseException as error:  # noqa: BLE001 - it is raised where the items come from
            failures.append(error)
            channel.close()

    def hand_on(item: T) -> None:
        if not channel.put(item):
            raise failures[0]

    writing = _Helper(drain, "write-behind", channel)
    try:
        yield hand_on
        channel.end()
    except BaseException:
        channel.close()
        raise
    finally:
        writing.wait()
    if failures:
        raise failures[0]


class _Helper:
    """A thread beside the one that starts it.

    Args:
        work: what it does, until its channel is over.
        name: of the thread.
        channel: between the two.
    """

    def __init__(self, work: Callable[[], None], name: str, channel: _Channel[Any]) -> None:
        self._work = work
        self._channel = channel
        # A thread whose `join` was interrupted counts as ended in some versions of Python.
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait for its end, also when interrupted: it may be using what its caller will close.

        After an interruption it has nothing left to do but its current item.
        """
        interrupted: KeyboardInterrupt | None = None
        while not self._over.is_set():
            try:
                self._over.wait()
            except KeyboardInterrupt as error:
                interrupted = error
                self._channel.close()
        self._thread.join()
        if interrupted is not None:
            raise interrupted

    def _run(self) -> None:
        try:
            self._work()
        finally:
            self._over.set()


class _Channel(Generic[T]):
    """A short queue between two threads. One end says when it is over, the other when it leaves.

    Args:
        depth: items that it holds.
    """

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._items: deque[T] = deque()
        self._ended = False
        self._closed = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()

    def put(self, item: T) -> bool:
        """Wait for room and add an item; False if nobody will take it."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._items) < self._depth)
            if self._closed:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    def end(self, error: BaseException | None = None) -> None:
        """No more items come. An error is raised after the last of them."""
        with self._changed:
            self._ended = True
            self._error = error
            self._changed.notify_all()

    def close(self) -> None:
        """No more items are taken; those that wait are dropped, and so is who waits to add one."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or self._ended or self._closed)
                if not self._items:
                    if self._error is not None:
                        raise self._error
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item
