"""Two things are computed at the same time, and one who asked gets both or an error."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import torch

from streamsep.devices.side_by_side import side_by_side, with_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE_S = 20


@pytest.fixture(autouse=True)
def threads_of_torch() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def test_both_are_under_way_at_the_same_time() -> None:
    meeting = threading.Barrier(2, timeout=PATIENCE_S)

    both = side_by_side(
        lambda: (meeting.wait(), "first")[1],
        lambda: (meeting.wait(), "second")[1],
        second_threads=1,
    )

    assert both == ("first", "second")


def test_the_second_has_threads_of_its_own_and_the_first_keeps_its() -> None:
    had = side_by_side(torch.get_num_threads, torch.get_num_threads, second_threads=2)

    assert had == (4, 2)
    assert torch.get_num_threads() == 4


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_something_is_computed_with_so_many_threads(count: int) -> None:
    had, thread = with_threads(count, lambda: (torch.get_num_threads(), threading.current_thread()))

    assert had == count
    assert (thread is threading.current_thread()) == (count == 4)


def test_one_beside_another_has_others_beside_it() -> None:
    had = with_threads(
        2,
        lambda: side_by_side(
            torch.get_num_threads,
            lambda: with_threads(3, torch.get_num_threads),
            second_threads=1,
        ),
    )

    assert had == (2, 3)


def test_threads_that_begin_later_have_as_many_as_they_would_have_had() -> None:
    def threads_of_a_new_thread() -> int:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(torch.get_num_threads).result()

    def after_both() -> None:
        # As an engine does it, where all that begin have one thread while it computes.
        torch.set_num_threads(1)
        usual.append(threads_of_a_new_thread())
        with_threads(3, lambda: side_by_side(int, int, second_threads=2))
        usual.append(threads_of_a_new_thread())

    usual: list[int] = []
    computing = threading.Thread(target=after_both)
    computing.start()
    computing.join()

    assert usual == [1, 1]


def test_threads_that_begin_at_once_leave_the_usual_number() -> None:
    for _ in range(60):
        meeting = threading.Barrier(2, timeout=PATIENCE_S)

        def begin(meeting: threading.Barrier = meeting) -> None:
            meeting.wait()
            with_threads(2, lambda: None)

        both = [threading.Thread(target=begin) for _ in range(2)]
        for each in both:
            each.start()
        for each in both:
            each.join()
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(torch.get_num_threads).result() == 4


def test_without_threads_for_it_the_second_is_computed_here() -> None:
    order: list[tuple[str, int]] = []

    side_by_side(
        lambda: order.append(("first", threading.get_ident())),
        lambda: order.append(("second", threading.get_ident())),
        second_threads=0,
    )

    assert order == [("second", threading.get_ident()), ("first", threading.get_ident())]


@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_the_second_records_gradients_as_the_first_does(mode: Callable[[], Any]) -> None:
    def recorded() -> tuple[bool, bool]:
        return torch.is_grad_enabled(), torch.is_inference_mode_enabled()

    with mode():
        first, second = side_by_side(recorded, recorded, second_threads=1)

    assert first == second


@pytest.mark.parametrize("failing", ["first", "second", "both"])
def test_an_error_comes_back_and_the_next_two_are_none_the_worse(failing: str) -> None:
    def part(name: str) -> str:
        if failing in (name, "both"):
            raise ValueError(f"from the {name}")
        return name

    reported = "second" if failing == "second" else "first"
    with pytest.raises(ValueError, match=f"from the {reported}"):
        side_by_side(lambda: part("first"), lambda: part("second"), second_threads=1)

    assert side_by_side(lambda: 1, lambda: 2, second_threads=1) == (1, 2)
    assert torch.get_num_threads() == 4


def test_an_error_is_not_raised_before_the_second_has_ended() -> None:
    ended = threading.Event()

    def fail() -> None:
        raise MemoryError

    def slow() -> None:
        time.sleep(0.2)
        ended.set()

    with pytest.raises(MemoryError):
        side_by_side(fail, slow, second_threads=1)

    assert ended.is_set()


def test_an_error_keeps_nothing_alive_once_it_has_been_dealt_with() -> None:
    held: list[weakref.ref[torch.Tensor]] = []

    def fill_memory() -> None:
        taken = torch.zeros(1000)
        held.append(weakref.ref(taken))
        raise MemoryError

    gc.disable()
    try:
        with contextlib.suppress(MemoryError):
            side_by_side(lambda: None, fill_memory, second_threads=1)
        side_by_side(lambda: None, lambda: None, second_threads=1)  # it has let go of the last one

        assert held[0]() is None
    finally:
        gc.enable()


def test_a_child_of_this_process_has_others_of_its_own() -> None:
    side_by_side(int, int, second_threads=1)

    child = os.fork()
    if child == 0:
        os._exit(side_by_side(lambda: 30, lambda: 12, second_threads=1) != (30, 12))

    deadline = time.monotonic() + PATIENCE_S
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < deadline:
        time.sleep(0.01)
    if ended == (0, 0):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert ended == (child, 0)


def test_threads_that_compute_at_the_same_time_do_not_wait_for_each_other() -> None:
    meeting = threading.Barrier(4, timeout=PATIENCE_S)

    def both() -> tuple[int, int]:
        return side_by_side(meeting.wait, meeting.wait, second_threads=1)

    with ThreadPoolExecutor(2) as pool:
        arrived = [pool.submit(both), pool.submit(both)]

        assert sorted(place for one in arrived for place in one.result()) == [0, 1, 2, 3]


def test_the_other_thread_ends_with_the_one_that_it_computes_for() -> None:
    def beside() -> threading.Thread:
        return side_by_side(lambda: None, threading.current_thread, second_threads=1)[1]

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(beside).result()
        assert pool.submit(beside).result() is other
        assert other.is_alive()
    gc.collect()

    other.join(PATIENCE_S)
    assert not other.is_alive()
