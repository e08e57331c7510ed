"""One device, many streams: who is computed next.

Every stream hands in a segment when it has one and waits for its estimate. The scheduler always
takes the segment whose deadline comes first, which is the order that meets all deadlines if any
order does. On a GPU, segments of one shape that wait together are computed together, those with
deadlines apart from those without, and the next ones are handed over before the stems of the last
are back; on a CPU that would gain nothing, and the estimate would no longer be the same to the last
bit. A batch that the device's memory does not hold is computed in halves, and so are all that
follow; likewise a segment of several signals.

A processor of many cores has several workers, where a segment has no use for all of them. Each
takes the next segment when it is done with its last. On other devices there is one.

A segment whose deadline has passed is not computed: its stems would come too late to be played, and
computing them would make the next ones late as well. Its stream is told and plays the mixture.

Segments of offline streams have no deadline. One of them is begun only when it will be done before
the next live segment can be in danger: what has begun cannot be interrupted. A live stream is
expected to hand in its next segment one hop after the last::

    live     ▇▇      ▇▇      ▇▇          ▇ computing
    offline    ▇▇▇▇    ▇▇▇▇              each begun where it fits

Source: Liu and Layland, "Scheduling Algorithms for Multiprogramming in a Hard-Real-Time
Environment", 1973, section 7.
"""

from __future__ import annotations

import logging
import math
import sys
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from streamsep.devices import Done, Several, make_executor
from streamsep.devices.compute_threads import ComputeThreads
from streamsep.devices.out_of_memory import is_out_of_memory
from streamsep.errors import ConfigError, EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from torch import Tensor

    from streamsep.devices import Executor, Pending
    from streamsep.engine import Separator

    Separate = Callable[[Tensor], Tensor]

__all__ = ["OFFLINE", "Scheduler", "Ticket"]

logger = logging.getLogger(__name__)

OFFLINE = math.inf
"""The deadline of what has none."""

_FORGOTTEN_HOPS = 2.0
"""A live stream that has been silent for so many hops is not waited for."""


@dataclass(slots=True, eq=False)
class Ticket:
    """A stream's place at the scheduler.

    Attributes:
        hop_s: seconds from one of its segments to the next; 0 for an offline stream.
        budget_s: seconds from a segment's arrival to its deadline.
        last_s: when its last segment arrived.
        took_s: how long its last segments took to compute, together with those that were computed
            with them; the newest last, at most a hundred.
    """

    hop_s: float = 0.0
    budget_s: float = OFFLINE
    last_s: float = -math.inf
    took_s: list[float] = field(default_factory=list)

    @property
    def live(self) -> bool:
        """Whether it has deadlines."""
        return self.hop_s > 0.0

    def note(self, took_s: float) -> None:
        """One of its segments is computed."""
        self.took_s.append(took_s)
        del self.took_s[:-100]


@dataclass(slots=True, eq=False)
class _Job:
    """One segment that waits to be separated."""

    mix: Tensor
    ticket: Ticket
    deadline_s: float
    separate: Separate | None
    result: Future[Tensor | None] = field(default_factory=Future)


@dataclass(slots=True, eq=False)
class _Worker:
    """One that computes, and when it was last done with something."""

    finished_s: float = -math.inf


@dataclass(slots=True, eq=False)
class _Begun:
    """Segments whose stems the device has been asked for, and when."""

    jobs: Sequence[_Job]
    stems: Pending
    at_s: float


class Scheduler:
    """Computes the segments of all streams in threads of its own, see `ComputeThreads`.

    Args:
        separator: what separates.
        device: where it computes.
        largest_batch: segments computed together; None chooses by the device.
        executor: how it computes there; None chooses by the device.
        workers: segments computed beside each other, each with as large a share of torch's threads;
            more than 1 only on a processor.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        separator: Separator,
        device: torch.device,
        *,
        largest_batch: int | None = None,
        executor: Executor | None = None,
        workers: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._channels = separator.channels
        self._executor = executor or make_executor(separator, device)
        self._largest_batch = largest_batch or self._executor.largest_batch
        self._most_signals = sys.maxsize
        """Signals [C, T] that are computed at a time; a segment may have several."""
        self._clock = clock
        self._jobs: list[_Job] = []
        self._tickets: list[Ticket] = []
        self._changed = threading.Condition()
        self._stopped = False
        self.compute_s: list[float] = []
        """How long the last computations took, the newest last; at most a thousand."""
        self._longest_s = 0.0
        self._workers = workers
        self._threads = ComputeThreads(self._run, name="compute", count=workers)
        self._threads.start()

    @property
    def device(self) -> torch.device:
        """Where it computes; another one from when that lacked an operation."""
        return self._executor.device

    def prepare(self, segments: Iterable[int]) -> None:
        """Do now what would make the first segments of some lengths slow on this device."""
        for segment in segments:
            try:
                self._executor.prepare(self._channels, segment)
            except (RuntimeError, MemoryError) as error:
                # Who asks for such a segment is told.
                if not is_out_of_memory(error):
                    raise

    def join(self, ticket: Ticket) -> None:
        """Let a stream take part."""
        with self._changed:
            self._tickets.append(ticket)

    def leave(self, ticket: Ticket) -> None:
        """A stream is over."""
        with self._changed:
            self._tickets.remove(ticket)
            self._changed.notify()

    def submit(
        self, mix: Tensor, ticket: Ticket, arrived_s: float, separate: Separate | None = None
    ) -> Future[Tensor | None]:
        """Hand in a segment.

        Args:
            mix: float32 [B, C, T].
            ticket: of the stream.
            arrived_s: when the last sample of it came in, by the scheduler's clock.
            separate: what separates it and no other; None for the separator of all.

        Returns:
            A future of the stems [B, S, C, T], or of None if they would be late.
        """
        job = _Job(mix, ticket, arrived_s + ticket.budget_s, separate)
        with self._changed:
            if self._stopped:
                raise EngineError("the engine is stopping")
            ticket.last_s = arrived_s
            self._jobs.append(job)
            self._changed.notify()
        return job.result

    @property
    def waiting(self) -> int:
        """Segments that are not begun."""
        return len(self._jobs)

    @property
    def is_used(self) -> bool:
        """Whether there are streams that take part."""
        return bool(self._tickets)

    def stop(self) -> None:
        """End the threads; segments that wait are given up."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._threads.join()

    def _run(self) -> None:
        worker = _Worker()
        begun: _Begun | None = None
        while (jobs := self._next(wait=begun is None)) is not None:
            for job in [job for job in jobs if job.deadline_s <= self._clock()]:
                jobs.remove(job)
                job.result.set_result(None)
            following = self._begin(jobs) if jobs else None
            if begun is not None:
                self._finish(begun, worker)
            begun = None if following is None else self._still_under_way(following, worker)
        if begun is not None:
            self._finish(begun, worker)
        self._give_up()

    def _give_up(self) -> None:
        """Tell whoever waits that nothing will be computed any more."""
        with self._changed:
            for job in self._jobs:
                job.result.set_exception(EngineError("the engine is stopping"))
            self._jobs.clear()

    def _next(self, *, wait: bool) -> list[_Job] | None:
        """The jobs to compute next; none if there are none and it may not wait; None at the end."""
        with self._changed:
            while not self._stopped:
                pause_s = None
                if self._jobs:
                    first = min(self._jobs, key=lambda job: job.deadline_s)
                    pause_s = 0.0 if first.deadline_s < OFFLINE else self._until_free_s()
                    if pause_s <= 0.0:
                        return self._take_with(first)
                if not wait:
                    return []
                self._changed.wait(pause_s)
            return None

    def _take_with(self, first: _Job) -> list[_Job]:
        """Take a job and others that can share its batch, by their deadlines.

        What has no deadline does not share one of what has: the whole batch takes longer by it.
        """
        batch: list[_Job] = [first]
        for job in sorted(self._jobs, key=lambda job: job.deadline_s):
            alike = job.separate is first.separate is None
            as_urgent = job.ticket.live == first.ticket.live
            fits = alike and as_urgent and job.mix.shape[1:] == first.mix.shape[1:]
            if fits and job is not first and len(batch) < self._largest_batch:
                batch.append(job)
        for job in batch:
            self._jobs.remove(job)
        return batch

    def _until_free_s(self) -> float:
        """Seconds until an offline segment endangers no live one, 0 or below for now."""
        now = self._clock()
        live = [
            ticket
            for ticket in self._tickets
            if ticket.live and now - ticket.last_s < _FORGOTTEN_HOPS * ticket.hop_s
        ]
        if not live:
            return 0.0
        # Those that are due before ours would be done are computed behind it. Whatever else the
        # workers are at, one of them has at most its share of these to compute.
        behind = math.ceil(len(live) / self._workers)
        latest_start = min(
            max(ticket.last_s + ticket.hop_s, now)
            + ticket.budget_s
            - self._longest_s * (1 + behind)
            for ticket in live
        )
        if now <= latest_start:
            return 0.0
        # Ask again when the next live segment is through and the way may be free.
        return max(min(ticket.last_s + ticket.hop_s for ticket in live) - now, 1e-3)

    def _begin(self, jobs: Sequence[_Job]) -> _Begun | None:
        """Ask the device for stems; None if that fails, which whoever waits is told."""
        at_s = self._clock()
        try:
            with torch.inference_mode():
                mix = torch.cat([job.mix for job in jobs])
                if (separate := jobs[0].separate) is None:
                    parts = torch.split(mix, self._most_signals)
                    stems = Several([self._executor.begin(part) for part in parts])
                    return _Begun(jobs, stems, at_s)
                own = Done(separate(mix.to(self.device)).float().cpu())
                return _Begun(jobs, own, at_s)
        except Exception as error:  # noqa: BLE001 - whoever waits gets it, and the others go on
            self._fail(jobs, error)
            return None

    def _still_under_way(self, begun: _Begun, worker: _Worker) -> _Begun | None:
        """What is not done yet; what is, or has failed on the device, is finished."""
        try:
            if not begun.stems.done:
                return begun
        except Exception as error:  # noqa: BLE001 - as above
            self._fail(begun.jobs, error)
            return None
        self._finish(begun, worker)
        return None

    def _finish(self, begun: _Begun, worker: _Worker) -> None:
        try:
            stems = begun.stems.result()
        except Exception as error:  # noqa: BLE001 - as above
            self._fail(begun.jobs, error)
            return
        now = self._clock()
        took = now - max(begun.at_s, worker.finished_s)
        worker.finished_s = now
        with self._changed:
            self.compute_s.append(took)
            del self.compute_s[:-1000]
            # Slowly forgets one slow segment, quickly learns of a slower machine.
            self._longest_s = max(took, 0.98 * self._longest_s)
        parts = torch.split(stems, [job.mix.shape[0] for job in begun.jobs])
        for job, part in zip(begun.jobs, parts, strict=True):
            job.ticket.note(took)
            job.result.set_result(part)

    def _fail(self, jobs: Sequence[_Job], error: Exception) -> None:
        """Tell whoever waits; but what only did not fit beside others is tried again with fewer."""
        signals = min(len(jobs[0].mix), self._most_signals)
        if not is_out_of_memory(error):
            failure: Exception = error
        elif len(jobs) > 1:
            self._largest_batch = len(jobs) // 2
            self._try_again(jobs, len(jobs), self._largest_batch)
            return
        elif signals > 1 and jobs[0].separate is None:
            self._most_signals = signals // 2
            self._try_again(jobs, signals, self._most_signals)
            return
        else:
            failure = ConfigError(
                f"the memory of the device '{self.device}' does not hold a segment of "
                f"{jobs[0].mix.shape[-1]} samples: close other programs, or serve a smaller model "
                "or a preset with less context"
            )
        for job in jobs:
            job.result.set_exception(failure)

    def _try_again(self, jobs: Sequence[_Job], tried: int, most: int) -> None:
        logger.warning(
            "the device's memory does not hold %d segments at a time: going on with %d", tried, most
        )
        with self._changed:
            self._jobs.extend(jobs)
