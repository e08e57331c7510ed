"""Two things are computed at the same time, and one who asked gets both or an error."""

from __future__ import annotations

import gc
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import torch

from streamsep.devices.side_by_side import side_by_side, threads

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    with threads(3):
        had = side_by_side(torch.get_num_threads, torch.get_num_threads, second_threads=2)

    assert had == (3, 2)
    assert torch.get_num_threads() == 4


def test_without_threads_for_it_the_second_is_computed_here() -> None:
    order: list[tuple[str, int]] = []

    side_by_side(
        lambda: order.append(("first", threading.get_ident())),
        lambda: order.append(("second", threading.get_ident())),
        second_threads=0,
    )

    assert order == [("second", threading.get_ident()), ("first", threading.get_ident())]


@pytest.mark.parametrize("inference", [False, True])
def test_the_second_records_gradients_as_the_first_does(inference: bool) -> None:
    with torch.inference_mode(inference):
        had = side_by_side(
            torch.is_inference_mode_enabled, torch.is_inference_mode_enabled, second_threads=1
        )

    assert had == (inference, inference)


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
