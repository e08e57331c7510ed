"""Who is computed next: the earliest deadline, nobody whose time is over, scripts in the gaps."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import fakes
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bridge.server.capacity import Capacity, Demand, proposed_budget_s
from bridge.server.scheduler import Scheduler, Ticket
from streamsep.errors import ConfigError, EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

CPU = torch.device("cpu")


class Gate(fakes.FakeSeparator):
    """Separates when it is let, and keeps the order of what it saw."""

    def __init__(self) -> None:
        object.__setattr__(self, "open", threading.Event())
        object.__setattr__(self, "begun", threading.Event())
        object.__setattr__(self, "order", [])

    def __call__(self, mix: Tensor) -> Tensor:
        self.begun.set()  # type: ignore[attr-defined]
        self.open.wait(20)  # type: ignore[attr-defined]
        self.order.append([float(value) for value in mix[:, 0, 0]])  # type: ignore[attr-defined]
        return mix[:, None].expand(-1, 4, -1, -1)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def scheduler(gate: Gate) -> Iterator[Scheduler]:
    made = Scheduler(gate, CPU)
    yield made
    gate.open.set()  # type: ignore[attr-defined]
    made.stop()


def segment(name: float, length: int = 8) -> Tensor:
    return torch.full((1, 2, length), name)


def test_the_earliest_deadline_is_first(scheduler: Scheduler, gate: Gate) -> None:
    now = time.monotonic()
    tickets = {
        name: Ticket(hop_s=1.0, budget_s=budget) for name, budget in ((1, 90), (2, 30), (3, 60))
    }
    first = scheduler.submit(segment(0), Ticket(hop_s=1.0, budget_s=99), now)
    gate.begun.wait(20)  # type: ignore[attr-defined]
    rest = [scheduler.submit(segment(name), ticket, now) for name, ticket in tickets.items()]
    gate.open.set()  # type: ignore[attr-defined]
    for future in (first, *rest):
        assert future.result(20) is not None
    assert gate.order == [[0], [2], [3], [1]]  # type: ignore[attr-defined]


def test_what_would_be_late_is_not_computed(scheduler: Scheduler, gate: Gate) -> None:
    gate.open.set()  # type: ignore[attr-defined]
    late = scheduler.submit(segment(1), Ticket(hop_s=1.0, budget_s=0.01), time.monotonic() - 1)
    assert late.result(20) is None
    assert gate.order == []  # type: ignore[attr-defined]


def test_a_script_waits_while_a_live_segment_could_be_endangered() -> None:
    gate = Gate()
    gate.open.set()  # type: ignore[attr-defined]
    clock = [100.0]
    scheduler = Scheduler(gate, CPU, clock=lambda: clock[0])
    try:
        live = Ticket(hop_s=1.0, budget_s=0.001)
        scheduler.join(live)
        assert scheduler.submit(segment(1), live, 100.0).result(20) is not None
        clock[0] = 100.9995
        # A computation was never seen to take any time by this clock, so pretend that it did.
        scheduler._longest_s = 0.01
        script = scheduler.submit(segment(2), Ticket(), clock[0])
        with pytest.raises(TimeoutError):
            script.result(0.3)
        scheduler.leave(live)
        assert script.result(20) is not None
    finally:
        scheduler.stop()


def test_segments_of_one_shape_share_a_batch_where_the_device_gains_by_it(gate: Gate) -> None:
    scheduler = Scheduler(gate, CPU, largest_batch=8)
    try:
        now = time.monotonic()
        ticket = Ticket(hop_s=1.0, budget_s=60)
        futures = [scheduler.submit(segment(0), ticket, now)]
        gate.begun.wait(20)  # type: ignore[attr-defined]
        futures += [scheduler.submit(segment(name), ticket, now) for name in (1, 2)]
        futures += [scheduler.submit(segment(9, length=16), ticket, now)]
        gate.open.set()  # type: ignore[attr-defined]
        for name, future in zip((0, 1, 2, 9), futures, strict=True):
            stems = future.result(20)
            assert stems is not None
            assert float(stems.mean()) == name
        assert gate.order == [[0], [1, 2], [9]]  # type: ignore[attr-defined]
    finally:
        scheduler.stop()


def test_scripts_do_not_share_the_batch_of_a_live_segment(gate: Gate) -> None:
    scheduler = Scheduler(gate, CPU, largest_batch=8)
    try:
        now = time.monotonic()
        live, script = Ticket(hop_s=1.0, budget_s=60), Ticket()
        futures = [scheduler.submit(segment(0), live, now)]
        gate.begun.wait(20)  # type: ignore[attr-defined]
        futures += [scheduler.submit(segment(name), script, now) for name in (7, 8)]
        futures += [scheduler.submit(segment(name), live, now) for name in (1, 2)]
        gate.open.set()  # type: ignore[attr-defined]
        for name, future in zip((0, 7, 8, 1, 2), futures, strict=True):
            stems = future.result(20)
            assert stems is not None
            assert float(stems.mean()) == name
        assert gate.order == [[0], [1, 2], [7, 8]]  # type: ignore[attr-defined]
    finally:
        scheduler.stop()


def test_a_failing_network_fails_one_segment_and_not_the_thread() -> None:
    class Fails(fakes.Gains):
        def __call__(self, mix: Tensor) -> Tensor:
            if bool(mix.isnan().any()):
                raise RuntimeError("no such audio")
            return super().__call__(mix)

    scheduler = Scheduler(Fails(), CPU)
    try:
        now = time.monotonic()
        with pytest.raises(RuntimeError, match="no such audio"):
            scheduler.submit(segment(float("nan")), Ticket(), now).result(20)
        assert scheduler.submit(segment(1.0), Ticket(), now).result(20) is not None
    finally:
        scheduler.stop()


def test_a_batch_that_does_not_fit_is_halved_until_it_does(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Small(Gate):
        def __call__(self, mix: Tensor) -> Tensor:
            stems = super().__call__(mix)
            if len(mix) > 2:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
            return stems

    gate = Small()
    scheduler = Scheduler(gate, CPU, largest_batch=8)
    try:
        now = time.monotonic()
        ticket = Ticket(hop_s=1.0, budget_s=60)
        futures = [scheduler.submit(segment(0), ticket, now)]
        gate.begun.wait(20)  # type: ignore[attr-defined]
        futures += [scheduler.submit(segment(name), ticket, now) for name in range(1, 8)]
        gate.open.set()  # type: ignore[attr-defined]
        for name, future in enumerate(futures):
            stems = future.result(20)
            assert stems is not None
            assert float(stems.mean()) == name
        assert [len(names) for names in gate.order] == [1, 7, 3, 1, 1, 1, 1, 1, 1, 1]  # type: ignore[attr-defined]
    finally:
        scheduler.stop()
    assert [each.getMessage().partition(":")[2] for each in caplog.records] == [
        " going on with 3",
        " going on with 1",
    ]


def test_a_segment_of_several_signals_that_does_not_fit_is_halved_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Small(fakes.Gains):
        def __call__(self, mix: Tensor) -> Tensor:
            sizes.append(len(mix))
            if len(mix) > 2:
                raise MemoryError
            return super().__call__(mix)

    sizes: list[int] = []
    scheduler = Scheduler(Small(), CPU)
    try:
        for count in (4, 5, 1):
            mix = torch.arange(count * 16.0).reshape(count, 2, 8)
            stems = scheduler.submit(mix, Ticket(), time.monotonic()).result(20)
            assert stems is not None
            assert torch.equal(stems, mix[:, None].expand(-1, 4, -1, -1))
    finally:
        scheduler.stop()
    assert sizes == [4, 2, 2, 2, 2, 1, 1]
    (message,) = caplog.messages
    assert message.endswith("does not hold 4 segments at a time: going on with 2")


@pytest.mark.parametrize("signals", [1, 4])
def test_a_segment_that_does_not_fit_alone_is_one_clear_error(signals: int) -> None:
    class Full(fakes.Gains):
        def __call__(self, mix: Tensor) -> Tensor:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    scheduler = Scheduler(Full(), CPU)
    mix = segment(1).repeat(signals, 1, 1)
    try:
        with pytest.raises(ConfigError, match="does not hold a segment of 8 samples"):
            scheduler.submit(mix, Ticket(), time.monotonic()).result(20)
    finally:
        scheduler.stop()


def test_after_the_end_nothing_is_taken() -> None:
    scheduler = Scheduler(fakes.Gains(), CPU)
    scheduler.stop()
    with pytest.raises(EngineError, match="stopping"):
        scheduler.submit(segment(1), Ticket(), 0.0)


@given(
    compute_ms=st.floats(0.1, 400),
    hop_ms=st.floats(5, 600),
    count=st.integers(1, 60),
)
def test_who_is_let_in_can_be_served(compute_ms: float, hop_ms: float, count: int) -> None:
    compute_s, hop_s = compute_ms / 1000, hop_ms / 1000
    capacity = Capacity()
    admitted = 0
    for key in range(count):
        demand = Demand(compute_s, hop_s, proposed_budget_s(compute_s, hop_s))
        reason = capacity.refusal(demand)
        if reason is None:
            capacity.admit(key, demand)
            admitted += 1
        else:
            assert reason.startswith("no room")
    assert capacity.load <= 0.9
    assert admitted * compute_s <= proposed_budget_s(compute_s, hop_s)
    for key in range(count):
        capacity.release(key)
    assert capacity.load == 0


@given(
    workers=st.integers(1, 5),
    hop_ms=st.floats(20, 600),
    shares=st.lists(st.floats(0.01, 0.6), min_size=1, max_size=24),
)
def test_who_is_let_in_is_done_in_time_by_workers_that_take_what_is_next(
    workers: int, hop_ms: float, shares: list[float]
) -> None:
    capacity = Capacity(workers)
    admitted: list[Demand] = []
    for key, share in enumerate(shares):
        demand = Demand(share * hop_ms / 1000, hop_ms / 1000, hop_ms / 1000)
        if capacity.refusal(demand) is None:
            capacity.admit(key, demand)
            admitted.append(demand)
    assert capacity.load <= 0.9
    # All at one moment, in the order in which they came in: it is nobody's best.
    free_s = [0.0] * workers
    for demand in admitted:
        first = free_s.index(min(free_s))
        free_s[first] += demand.compute_s
    assert max(free_s) <= hop_ms / 1000


def test_workers_compute_beside_each_other() -> None:
    together = threading.Barrier(3)

    class Meets(fakes.Gains):
        def __call__(self, mix: Tensor) -> Tensor:
            together.wait(20)
            return super().__call__(mix)

    scheduler = Scheduler(Meets(), CPU, workers=3)
    try:
        tickets = [Ticket(hop_s=1.0, budget_s=60) for _ in range(3)]
        for _ in range(3):
            now = time.monotonic()
            futures = [scheduler.submit(segment(1), ticket, now) for ticket in tickets]
            assert all(future.result(20) is not None for future in futures)
        assert [len(ticket.took_s) for ticket in tickets] == [3, 3, 3]
    finally:
        scheduler.stop()


@pytest.mark.parametrize(("workers", "free"), [(1, False), (4, True)])
def test_a_script_waits_only_for_what_one_worker_may_have_to_compute(
    workers: int, free: bool
) -> None:
    """Four streams of hops a quarter of a hop apart, each a third of a hop's work."""
    clock = [100.0]

    class TakesTime(fakes.Gains):
        def __call__(self, mix: Tensor) -> Tensor:
            clock[0] += 0.33
            return super().__call__(mix)

    scheduler = Scheduler(TakesTime(), CPU, workers=workers, clock=lambda: clock[0])
    try:
        for number in range(4):
            ticket = Ticket(hop_s=1.0, budget_s=1.0)
            scheduler.join(ticket)
            clock[0] = 100 + number / 4
            assert scheduler.submit(segment(1), ticket, clock[0]).result(20) is not None
        clock[0] = 100.8
        script = scheduler.submit(segment(2), Ticket(), clock[0])
        if free:
            assert script.result(20) is not None
        else:
            with pytest.raises(TimeoutError):
                script.result(0.3)
    finally:
        scheduler.stop()


def test_workers_that_end_give_up_what_waits_and_finish_what_is_begun(gate: Gate) -> None:
    scheduler = Scheduler(gate, CPU, workers=2)
    futures = [scheduler.submit(segment(name), Ticket(), 0.0) for name in range(4)]
    gate.begun.wait(20)  # type: ignore[attr-defined]
    threading.Timer(0.3, gate.open.set).start()  # type: ignore[attr-defined]
    scheduler.stop()
    ended = [future.exception(20) for future in futures]
    done = ended.count(None)
    assert 1 <= done <= 2
    assert all(isinstance(each, EngineError) for each in ended[done:])
    assert ended[:done] == [None] * done
