"""Who computes has the processors to itself, and everybody gets back what they had."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import torch

from streamsep.devices.compute_threads import ComputeThreads

if TYPE_CHECKING:
    from collections.abc import Iterator

THREADS = 6


@pytest.fixture(autouse=True)
def threads_of_torch() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    yield
    torch.set_num_threads(before)


def threads_of_a_new_thread() -> int:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(torch.get_num_threads).result()


class Group:
    """Threads that note what they have, and end when they are told to."""

    def __init__(self, count: int) -> None:
        self.had: list[int] = []
        self._over = threading.Event()
        self._noted = threading.Semaphore(0)
        self._threads = ComputeThreads(self._work, name="test", count=count)
        self._threads.start()
        for _ in range(count):
            self._noted.acquire()

    def _work(self) -> None:
        self.had.append(torch.get_num_threads())
        self._noted.release()
        self._over.wait()
        self.had.append(torch.get_num_threads())

    def end(self) -> None:
        self.let_go()
        self.wait()

    def let_go(self) -> None:
        self._over.set()

    def wait(self) -> None:
        self._threads.join()


def test_whoever_is_interrupted_while_waiting_has_all_of_them_again() -> None:
    group = Group(2)
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        group.wait()
    assert torch.get_num_threads() == THREADS
    group.let_go()


@pytest.mark.parametrize(("count", "each"), [(1, 6), (2, 3), (4, 1), (7, 1)])
def test_the_processors_are_shared_by_those_who_compute_and_all_others_have_one(
    count: int, each: int
) -> None:
    group = Group(count)
    assert torch.get_num_threads() == 1
    assert threads_of_a_new_thread() == 1
    group.end()
    assert group.had == 2 * count * [each]
    assert torch.get_num_threads() == THREADS
    assert threads_of_a_new_thread() == THREADS


@pytest.mark.parametrize("first_ends_first", [True, False])
def test_of_two_groups_side_by_side_nothing_stays(first_ends_first: bool) -> None:
    with ThreadPoolExecutor(1) as elsewhere:
        elsewhere.submit(torch.get_num_threads).result()
        first = Group(1)
        second = elsewhere.submit(Group, 2).result()
        ends = [first.end, lambda: elsewhere.submit(second.end).result()]
        for end in ends if first_ends_first else reversed(ends):
            end()
        assert first.had == [6, 6]
        assert second.had == 4 * [3]
        assert torch.get_num_threads() == THREADS
        assert elsewhere.submit(torch.get_num_threads).result() == THREADS
    assert threads_of_a_new_thread() == THREADS


def test_who_has_computed_before_can_compute_again() -> None:
    a, b = torch.ones(2, 300, 300)
    expected = a @ b
    group = Group(1)
    assert torch.equal(a @ b, expected)
    group.end()
    assert torch.equal(a @ b, expected)
