"""Reading ahead and writing behind: everything in its order, every error told, no thread left."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamsep.offline.pipeline import read_ahead, write_behind

if TYPE_CHECKING:
    from collections.abc import Iterator

DEPTHS = st.integers(1, 4)


class ReadError(Exception):
    """The file is damaged."""


class WriteError(Exception):
    """The disk is full."""


class Stopped(BaseException):
    """Ctrl-C, or a cancelled batch: nothing that a handler of errors would catch."""


def numbers(count: int, fails_at: int | None = None) -> Iterator[int]:
    for number in range(count):
        if number == fails_at:
            raise ReadError
        yield number


@given(count=st.integers(0, 20), reading=DEPTHS, writing=DEPTHS)
def test_everything_arrives_once_and_in_order(count: int, reading: int, writing: int) -> None:
    written: list[int] = []
    with (
        read_ahead(numbers(count), depth=reading) as items,
        write_behind(written.append, depth=writing) as hand_on,
    ):
        for item in items:
            hand_on(item)
    assert written == list(range(count))


@given(
    count=st.integers(1, 12),
    read_fails=st.none() | st.integers(0, 12),
    write_fails=st.none() | st.integers(0, 12),
    middle_fails=st.none() | st.integers(0, 12),
    depth=DEPTHS,
)
def test_whatever_fails_is_raised_and_no_thread_is_left(
    count: int,
    read_fails: int | None,
    write_fails: int | None,
    middle_fails: int | None,
    depth: int,
) -> None:
    before = threading.active_count()
    written: list[int] = []
    failures = {ReadError: read_fails, WriteError: write_fails, Stopped: middle_fails}
    expected = {kind for kind, place in failures.items() if place is not None and place < count}

    def write(item: int) -> None:
        if item == write_fails:
            raise WriteError
        written.append(item)

    def run() -> None:
        with (
            read_ahead(numbers(count, read_fails), depth=depth) as items,
            write_behind(write, depth=depth) as hand_on,
        ):
            for item in items:
                if item == middle_fails:
                    raise Stopped
                hand_on(item)

    if expected:
        with pytest.raises(tuple(expected)):
            run()
    else:
        run()
        assert written == list(range(count))
    assert written == list(range(len(written)))
    assert threading.active_count() == before


def interrupt_soon() -> None:
    """Press Ctrl-C while the main thread waits."""
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()


def test_whoever_is_interrupted_while_the_last_item_is_written_leaves_no_thread_at_work() -> None:
    begun = threading.Event()
    done: list[int] = []

    def write(item: int) -> None:
        begun.set()
        time.sleep(0.6)
        done.append(item)

    def run() -> None:
        with write_behind(write) as hand_on:
            hand_on(1)
            hand_on(2)
            begun.wait()
            interrupt_soon()

    with pytest.raises(KeyboardInterrupt):
        run()
    # What was under way is done, and what waited is dropped.
    assert done == [1]
    assert "write-behind" not in {thread.name for thread in threading.enumerate()}


def test_reading_goes_no_further_ahead_than_it_may() -> None:
    begun: list[int] = []
    third = threading.Event()

    def watched() -> Iterator[int]:
        for number in range(100):
            begun.append(number)
            if len(begun) == 3:
                third.set()
            yield number

    with read_ahead(watched(), depth=2) as items:
        # Two wait in the channel, and the third for room.
        assert third.wait(20)
        assert begun == [0, 1, 2]
        assert next(items) == 0


def test_writing_falls_no_further_behind_than_it_may() -> None:
    may_write = threading.Event()
    handed_on: list[int] = []
    third = threading.Event()

    def write(item: int) -> None:
        may_write.wait(20)

    def produce() -> None:
        with write_behind(write, depth=2) as hand_on:
            for number in range(10):
                hand_on(number)
                handed_on.append(number)
                if number == 2:
                    third.set()

    producer = threading.Thread(target=produce)
    producer.start()
    # One is being written and two wait.
    assert third.wait(20)
    producer.join(0.1)
    assert handed_on == [0, 1, 2]
    may_write.set()
    producer.join(20)
    assert handed_on == list(range(10))
