"""A session's stream at work: audio in, stems out, in a thread that may wait for the scheduler.

The thread owns the session's `StreamingSeparator`. Its separator is a counter at which segments are
handed to the scheduler; while one is computed the thread waits and the session's audio queues up.
"""

from __future__ import annotations

import logging
import statistics
import threading
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch

from bridge.server.block_queue import BlockQueue
from bridge.server.stem_gains import StemGains
from streamsep.engine import StreamingSeparator
from streamsep.engine.consistency import make_consistency
from streamsep.errors import EngineError, StreamSepError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from bridge.server.block_queue import Gathered
    from bridge.server.following import Following
    from bridge.server.scheduler import Scheduler, Ticket
    from streamsep.engine import Separator, StreamConfig
    from streamsep.engine.consistency import ConsistencyName
    from streamsep.engine.refinement import RefinementName
    from streamsep.engine.separator import SegmentFollower

__all__ = ["Finished", "StreamWorker"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """Stems that are done, or what went wrong.

    Attributes:
        epoch: of the stream that they belong to.
        samples: float32 [S, C, T].
        end: the last of a stream that was flushed.
        substituted: some of it was late and holds the mixture in `other`.
        error: in place of samples: why the session cannot go on.
    """

    epoch: int
    samples: NDArray[np.float32] | None = None
    end: bool = False
    substituted: bool = False
    error: str | None = None


class _Counter:
    """Where a stream hands in its segments: a `Separator` that lets the scheduler separate."""

    def __init__(
        self,
        separator: Separator,
        scheduler: Scheduler,
        ticket: Ticket,
        following: Following | None,
    ) -> None:
        self.sample_rate = separator.sample_rate
        self.channels = separator.channels
        self.sources = separator.sources
        self.stride = separator.stride
        self._scheduler = scheduler
        self._ticket = ticket
        self._following = following
        self.arrived_s = 0.0
        self.late = 0
        self.bypass = False
        self.stopped = False

    def __call__(self, mix: Tensor) -> Tensor:
        stems = self.separated(mix)
        return self.mixture_as_stems(mix) if stems is None else stems

    def follow(self, *, segment: int, hop: int, wanted: slice) -> _CountedFollower | None:
        """Follow the stream, if that is wanted and the network can."""
        if self._following is None:
            return None
        follower = self._following(segment=segment, hop=hop, wanted=wanted)
        return None if follower is None else _CountedFollower(self, follower, wanted)

    def separated(
        self, mix: Tensor, separate: Callable[[Tensor], Tensor] | None = None
    ) -> Tensor | None:
        """The stems of a segment, or None if the mixture has to do.

        Raises:
            EngineError: nobody wants them any more, or the engine stops.
        """
        if self.stopped:
            raise EngineError("the session is over")
        if self.bypass:
            return None
        stems = self._scheduler.submit(mix, self._ticket, self.arrived_s, separate).result()
        if stems is None:
            self.late += 1
        return stems

    def mixture_as_stems(self, mix: Tensor) -> Tensor:
        """The mixture in `other`; overlap-add fades from and to it as between any two segments."""
        stems = torch.zeros(mix.shape[0], len(self.sources), *mix.shape[1:])
        keeper = self.sources.index("other") if "other" in self.sources else -1
        stems[:, keeper] = mix
        return stems


class _CountedFollower:
    """A follower that knows which segments it has not been given."""

    def __init__(self, counter: _Counter, follower: SegmentFollower, wanted: slice) -> None:
        self._counter = counter
        self._follower = follower
        self._wanted = wanted
        self._missed = 0

    def __call__(self, segment: Tensor, hops: int = 1) -> Tensor:
        self._missed += hops
        separate = partial(self._follower, hops=self._missed)
        stems = self._counter.separated(segment, separate)
        if stems is None:
            return self._counter.mixture_as_stems(segment[..., self._wanted])
        self._missed = 0
        return stems

    def reset(self) -> None:
        """Forget the stream."""
        self._follower.reset()
        self._missed = 0

    def begin_as(self, other: _CountedFollower) -> None:
        """As in `SegmentFollower`."""
        self._follower.begin_as(other._follower)


class StreamWorker:
    """Separates one session's stream in a thread of its own.

    Args:
        separator: what separates, for its rate, channels and sources.
        scheduler: who computes.
        ticket: the stream's place there.
        config: how the stream is cut.
        sample_rate: of the session.
        channels: of the session.
        consistency: of the session.
        refinement: of the session.
        deliver: called in the worker's thread with what is finished.
        following: follows the stream hop by hop; None to compute every segment anew.
    """

    def __init__(
        self,
        separator: Separator,
        scheduler: Scheduler,
        ticket: Ticket,
        config: StreamConfig,
        *,
        sample_rate: int,
        channels: int,
        consistency: ConsistencyName,
        refinement: RefinementName = "off",
        deliver: Callable[[Finished], None],
        following: Following | None = None,
    ) -> None:
        self._counter = _Counter(separator, scheduler, ticket, following)
        self._config = config
        self._sample_rate = sample_rate
        self._channels = channels
        self._consistency: ConsistencyName = consistency
        self._refinement: RefinementName = refinement
        self._stream = self._new_stream()
        self.gains = StemGains(separator.sources, sample_rate)
        """What the stems are scaled by."""
        self._scheduler = scheduler
        self._ticket = ticket
        self._deliver = deliver
        self._queue = BlockQueue()
        self._thread = threading.Thread(target=self._run, name="stream", daemon=True)

    @property
    def latency_terms(self) -> tuple[int, int]:
        """Samples that the network and the resamplers hold back."""
        terms = self._stream.latency_terms
        return terms.network, terms.resampling

    @property
    def bypass(self) -> bool:
        """Whether the mixture is passed on in `other`, from the next segment on."""
        return self._counter.bypass

    @bypass.setter
    def bypass(self, value: bool) -> None:
        self._counter.bypass = value

    def change_consistency(self, consistency: ConsistencyName) -> None:
        """Make stems sum to the mixture in another way, from the next stream on.

        Raises:
            ConfigError: these stems cannot.
        """
        make_consistency(consistency, self._stream.sources, self._sample_rate)
        self._consistency = consistency

    @property
    def late_segments(self) -> int:
        """Segments that were replaced by the mixture."""
        return self._counter.late

    def hop_took_s(self, enough: int) -> float | None:
        """Seconds to compute a hop, the median of the last ones; None if it were not that many."""
        took_s = list(self._ticket.took_s)
        return statistics.median(took_s) if len(took_s) >= enough else None

    @property
    def queued(self) -> int:
        """Blocks that wait for their turn, or for others to make a segment of."""
        return len(self._queue)

    @property
    def busy(self) -> bool:
        """Whether anything is being done or waits to be."""
        return self._queue.is_busy

    def start(self) -> None:
        """Begin to work."""
        self._scheduler.join(self._ticket)
        self._thread.start()

    def push(self, samples: NDArray[np.float32], arrived_s: float) -> None:
        """Hand in a block [C, T] that came in at a time of the scheduler's clock."""
        self._queue.put(samples, arrived_s)

    def flush(self, arrived_s: float) -> None:
        """End the stream."""
        self._queue.end(arrived_s)

    def reset(self, epoch: int) -> None:
        """Forget all that waits; what comes from now on is of another stream."""
        self._queue.restart(epoch)

    def stop(self) -> None:
        """Stop after the segment that is being computed, without waiting for it."""
        self._counter.stopped = True
        self._queue.close()

    def _run(self) -> None:
        epoch = 0
        try:
            while (task := self._queue.take(epoch, self._stream.wanted)) is not None:
                if task.epoch != epoch:
                    self._stream = self._new_stream()
                    epoch = task.epoch
                self._work(task)
        except EngineError:
            pass  # the engine stops, and this stream with it, or this stream alone
        except Exception as error:  # noqa: BLE001 - it must reach this client and nobody else
            foreseen = isinstance(error, StreamSepError)
            logger.log(logging.WARNING if foreseen else logging.ERROR, "stream failed: %s", error)
            self._deliver(Finished(epoch, error=str(error) or type(error).__name__))
        finally:
            self._queue.close()
            self._scheduler.leave(self._ticket)

    def _work(self, task: Gathered) -> None:
        self._counter.arrived_s = task.arrived_s
        late = self._counter.late
        end = task.samples is None
        if task.samples is None:
            stems = self._stream.flush()
        else:
            stems = self._stream.push(torch.from_numpy(task.samples))
        if end or stems.shape[-1]:
            substituted = self._counter.late > late
            stems = self.gains.apply(stems)
            self._deliver(Finished(task.epoch, stems.numpy(), end, substituted))

    def _new_stream(self) -> StreamingSeparator:
        return StreamingSeparator(
            self._counter,
            self._config,
            sample_rate=self._sample_rate,
            channels=self._channels,
            consistency=self._consistency,
            refinement=self._refinement,
            incremental=True,  # where there is something that follows
        )
