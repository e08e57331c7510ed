"""A device that works by itself gets its next batch before the stems of the last one are back.

Here a thread is the device: it computes in its own time, one batch after the other.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import torch
from fakes import Gains

from bridge.server.scheduler import Scheduler, Ticket
from streamsep.devices import Done
from streamsep.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from torch import Tensor

CPU = torch.device("cpu")
LONG_S = 20
LOUD = 10
"""Batches of more than one that are louder do not fit."""


class Underway:
    def __init__(self, stems: Future[Tensor], awaited: threading.Semaphore) -> None:
        self._stems = stems
        self._awaited = awaited

    @property
    def done(self) -> bool:
        return self._stems.done()

    def result(self) -> Tensor:
        self._awaited.release()
        return self._stems.result(LONG_S)


class OtherThread:
    """An `Executor` whose device is a thread that can be stopped between two batches."""

    device = CPU
    largest_batch = 2

    def __init__(self) -> None:
        self.go = threading.Semaphore(0)
        self.begun = threading.Semaphore(0)
        self.awaited = threading.Semaphore(0)
        self.batches: list[list[float]] = []
        self._thread = ThreadPoolExecutor(1)

    def prepare(self, channels: int, length: int) -> None:
        pass

    def begin(self, mix: Tensor) -> Underway:
        self.batches.append([float(value) for value in mix[:, 0, 0]])
        self.begun.release()
        return Underway(self._thread.submit(self._compute, mix), self.awaited)

    def __call__(self, mix: Tensor) -> Tensor:
        return self.begin(mix).result()

    def _compute(self, mix: Tensor) -> Tensor:
        assert self.go.acquire(timeout=LONG_S)
        if mix.min() < 0:
            raise ValueError("a negative mixture")
        if len(mix) > 1 and mix.max() > LOUD:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return 2 * mix[:, None].expand(-1, 4, -1, -1)


@pytest.fixture
def device() -> OtherThread:
    return OtherThread()


@pytest.fixture
def scheduler(device: OtherThread) -> Iterator[Scheduler]:
    made = Scheduler(Gains(), CPU, executor=device)
    yield made
    for _ in range(9):
        device.go.release()
    made.stop()


def segment(value: float) -> Tensor:
    return torch.full((1, 2, 8), value)


def begin_first(scheduler: Scheduler, device: OtherThread) -> Future[Tensor | None]:
    """Hand in a segment; return when the device has it and the scheduler waits for it."""
    future = scheduler.submit(segment(1), Ticket(), 0.0)
    assert device.begun.acquire(timeout=LONG_S)
    assert device.awaited.acquire(timeout=LONG_S)
    return future


def test_the_next_batch_is_begun_while_the_last_one_is_computed(
    scheduler: Scheduler, device: OtherThread
) -> None:
    first = begin_first(scheduler, device)
    # The scheduler waits for the first; what comes now is the next batch, and one more.
    others = [scheduler.submit(segment(value), Ticket(), 0.0) for value in (2, 3, 4)]
    assert device.batches == [[1]]
    device.go.release()
    assert torch.equal(first.result(LONG_S), 2 * segment(1)[:, None].expand(-1, 4, -1, -1))
    # Both are begun although nothing of them is done.
    assert device.begun.acquire(timeout=LONG_S)
    assert device.begun.acquire(timeout=LONG_S)
    assert device.batches == [[1], [2, 3], [4]]
    assert not any(future.done() for future in others)
    device.go.release()
    device.go.release()
    for value, future in zip((2, 3, 4), others, strict=True):
        stems = future.result(LONG_S)
        assert torch.equal(stems, 2 * segment(value)[:, None].expand(-1, 4, -1, -1))


def begin_to_stop(scheduler: Scheduler) -> threading.Thread:
    """Stop in a thread of its own; return when nothing new is taken."""
    stopping = threading.Thread(target=scheduler.stop)
    stopping.start()
    # Until it has been told to stop it might begin another one as well.
    while True:
        try:
            scheduler.submit(segment(3), Ticket(), 0.0)
        except EngineError:
            return stopping


def test_what_fails_on_the_device_fails_alone(scheduler: Scheduler, device: OtherThread) -> None:
    futures = [begin_first(scheduler, device)]
    futures += [scheduler.submit(segment(value), Ticket(), 0.0) for value in (-1, -2, 3)]
    for _ in range(3):
        device.go.release()
    for failed in futures[1:3]:
        with pytest.raises(ValueError, match="a negative mixture"):
            failed.result(LONG_S)
    assert futures[0].result(LONG_S) is not None
    assert futures[3].result(LONG_S) is not None


def test_a_device_that_fails_when_it_is_asked_fails_one_batch_and_not_the_thread() -> None:
    class Failing(Done):
        @property
        def done(self) -> bool:
            if self.result().min() < 0:
                raise RuntimeError("CUDA error: an illegal memory access was encountered")
            return True

    class Asked(OtherThread):
        def begin(self, mix: Tensor) -> Failing:
            return Failing(mix[:, None].expand(-1, 4, -1, -1))

    scheduler = Scheduler(Gains(), CPU, executor=Asked())
    try:
        with pytest.raises(RuntimeError, match="illegal memory access"):
            scheduler.submit(segment(-1), Ticket(), 0.0).result(LONG_S)
        assert scheduler.submit(segment(1), Ticket(), 0.0).result(LONG_S) is not None
    finally:
        scheduler.stop()


def test_what_has_begun_is_finished_when_the_engine_stops(device: OtherThread) -> None:
    scheduler = Scheduler(Gains(), CPU, executor=device)
    begun = begin_first(scheduler, device)
    waiting = scheduler.submit(segment(2), Ticket(), 0.0)
    stopping = begin_to_stop(scheduler)
    device.go.release()
    assert begun.result(LONG_S) is not None
    with pytest.raises(EngineError, match="the engine is stopping"):
        waiting.result(LONG_S)
    stopping.join(LONG_S)
    assert not stopping.is_alive()


def test_a_last_batch_that_does_not_fit_is_told_of_the_end(device: OtherThread) -> None:
    scheduler = Scheduler(Gains(), CPU, executor=device)
    begin_first(scheduler, device)
    values = (2, 3, LOUD + 1, LOUD + 2)
    futures = [scheduler.submit(segment(value), Ticket(), 0.0) for value in values]
    device.go.release()
    for under_way in (device.begun, device.begun, device.awaited):
        assert under_way.acquire(timeout=LONG_S)
    stopping = begin_to_stop(scheduler)
    device.go.release()
    assert device.awaited.acquire(timeout=LONG_S)
    device.go.release()
    for future in futures[2:]:
        with pytest.raises(EngineError, match="the engine is stopping"):
            future.result(LONG_S)
    stopping.join(LONG_S)
    assert not stopping.is_alive()


def test_the_time_of_a_batch_does_not_include_that_of_the_one_before(
    device: OtherThread,
) -> None:
    now = [0.0]
    scheduler = Scheduler(Gains(), CPU, executor=device, clock=lambda: now[0])
    first = begin_first(scheduler, device)
    rest = [scheduler.submit(segment(value), Ticket(), 0.0) for value in (2, 3, 4)]
    now[0] = 1.0
    device.go.release()
    first.result(LONG_S)
    for _ in range(2):
        assert device.begun.acquire(timeout=LONG_S)
    for moment, future in ((3.0, rest[0]), (3.5, rest[2])):
        now[0] = moment
        device.go.release()
        future.result(LONG_S)
    scheduler.stop()
    assert scheduler.compute_s == [1.0, 2.0, 0.5]
