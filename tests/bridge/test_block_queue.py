"""Blocks that wait for a stream: gathered, never lost, never held back when they are enough."""

from __future__ import annotations

import threading

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bridge.server.block_queue import BlockQueue

LENGTHS = st.lists(st.integers(1, 700), min_size=1, max_size=30)


def blocks_of(lengths: list[int]) -> list[np.ndarray]:
    """Blocks [1, t] that count on from one to the next."""
    cuts = np.cumsum(lengths)[:-1]
    return np.split(np.arange(sum(lengths), dtype=np.float32)[None], cuts, axis=1)


@given(lengths=LENGTHS, wanted=st.integers(1, 3000))
def test_all_blocks_come_out_in_order_and_dated_by_the_one_that_made_enough(
    lengths: list[int], wanted: int
) -> None:
    queue = BlockQueue()
    for number, block in enumerate(blocks_of(lengths)):
        queue.put(block, float(number))
    queue.end(99.0)
    arrivals = np.cumsum(lengths)
    taken = []
    while (task := queue.take(0, wanted)) is not None and task.samples is not None:
        taken.append(task.samples)
        so_far = sum(each.shape[-1] for each in taken)
        last = int(task.arrived_s)
        assert arrivals[last] == so_far
        # One block less would not have been enough.
        assert task.samples.shape[-1] - lengths[last] < wanted
        assert task.samples.shape[-1] >= wanted or so_far == sum(lengths)
    assert task is not None
    assert (task.samples, task.arrived_s) == (None, 99.0)
    np.testing.assert_array_equal(
        np.concatenate(taken, axis=1), np.concatenate(blocks_of(lengths), axis=1)
    )


def test_whoever_takes_sleeps_until_there_is_enough() -> None:
    queue = BlockQueue()
    taken: list[int] = []

    def take() -> None:
        task = queue.take(0, 100)
        assert task is not None
        assert task.samples is not None
        taken.append(task.samples.shape[-1])

    thread = threading.Thread(target=take)
    thread.start()
    queue.put(np.zeros((2, 60), np.float32), 0.0)
    thread.join(0.1)
    assert not taken
    assert not queue.is_busy
    queue.put(np.zeros((2, 60), np.float32), 0.1)
    thread.join(5)
    assert taken == [120]
    assert queue.is_busy  # until the next is asked for


def test_a_restart_forgets_what_waited_and_gives_the_new_stream_what_there_is() -> None:
    queue = BlockQueue()
    queue.put(np.zeros((1, 10), np.float32), 0.0)
    queue.end(0.0)
    queue.restart(7)
    queue.put(np.ones((1, 3), np.float32), 1.0)
    task = queue.take(0, 1000)  # asked by the old stream
    assert task is not None
    assert task.samples is not None
    assert (task.epoch, task.samples.shape[-1], len(queue)) == (7, 3, 0)


def test_a_closed_queue_lets_whoever_waits_go() -> None:
    queue = BlockQueue()
    answers: list[object] = []
    thread = threading.Thread(target=lambda: answers.append(queue.take(0, 10)))
    thread.start()
    queue.close()
    thread.join(5)
    assert answers == [None]
    assert not queue.is_busy
