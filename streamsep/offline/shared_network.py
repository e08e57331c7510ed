r"""One network for all tracks that are under way.

Each track has a `Seat`, which looks like the network to it. Segments wait in one queue, those of
the first track before those of the second, and threads of the network's own compute them, on a GPU
several of one shape together::

    track 0 ── seat ─▶ ▢▢▢ ─┐
    track 1 ── seat ─▶ ▢▢ ──┼─▶ in their order ─▶ ▢▢▢▢ a batch ─▶ network
    track 2 ── seat ─▶ ▢▢▢ ─┘

So the network is never idle while a track is read, resampled, encoded or written, and several short
files fill a batch together. A track is given what it would be given alone: computed one at a time,
to the last bit; in a batch, but for the rounding of sums that are taken in another order.

When memory runs out, fewer segments are computed at the same time; those of a track that follows
itself cannot be computed twice, so that it has to begin again. A single one that does not fit is an
error of its track: only the track can be cut into shorter segments.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Self

import torch

from streamsep.devices.compute_threads import ComputeThreads
from streamsep.devices.out_of_memory import is_out_of_memory, release_memory, trim_heaps
from streamsep.engine.separator import follow, separate_within, surroundings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from torch import Tensor

    from streamsep.engine import Separator
    from streamsep.engine.separator import SegmentFollower
    from streamsep.offline.shared_tiling import SharedTiling

__all__ = ["LessRoomError", "Room", "Seat", "SharedNetwork", "Watch"]

logger = logging.getLogger(__name__)

_BATCHES_PER_TRIM = 2
"""A heap that keeps what is freed breaks into pieces that fit ever less, and would grow slowly. The
hops of a stream that is followed take the same places again, and a sixth less time without."""


class LessRoomError(MemoryError):
    """A hop did not fit beside others. Fewer are computed from now on: its track may try again."""


@dataclass(frozen=True, slots=True)
class Room:
    """How much is computed at the same time.

    Attributes:
        batch: segments that are computed together, at least 1.
        workers: threads that compute, at least 1.
        tracks: how many the network is to be kept busy by, at least 1.
    """

    batch: int = 1
    workers: int = 1
    tracks: int = 1

    @property
    def ahead(self) -> int:
        """Segments that a track hands in beyond the one it waits for.

        While its share of the batches is computed, another one can gather.
        """
        return 2 * self.batch * -(-self.workers // self.tracks) - 1

    def smaller(self, computed: int) -> Room | None:
        """The room after a batch of so many segments did not fit; None if it was the least."""
        if computed > 1:
            return replace(self, batch=computed // 2)
        return replace(self, batch=1, workers=self.workers // 2) if self.workers > 1 else None


@dataclass(slots=True, eq=False)
class _Request:
    """A segment that waits to be separated.

    Attributes:
        place: the track's turn and how many segments it had handed in before.
        mix: float32 [B, C, T].
        separate: makes of it the stems that are wanted, [B, S, C, t].
        alike: what the segments of one batch have in common, whose `separate` do the same. None for
            one that is separated alone and once: afterwards, `separate` expects another.
        seat: whose it is.
        result: its stems.
    """

    place: tuple[int, int]
    mix: Tensor
    separate: Callable[[Tensor], Tensor]
    alike: Hashable | None
    seat: Seat
    result: Future[Tensor] = field(default_factory=Future)

    @property
    def repeatable(self) -> bool:
        """Whether it can be separated again, and together with others."""
        return self.alike is not None

    def goes_with(self, other: _Request) -> bool:
        """Whether both can be separated together."""
        return self is other or (self.repeatable and self.alike == other.alike)


class SharedNetwork:
    """Computes the segments of several tracks in threads of its own; a context manager.

    Leaving it cancels what has not begun: whoever waits for that gets a `CancelledError`.

    Args:
        separator: what separates; it moves segments to its device itself.
        tiling: where the segments of all tracks lie.
        room: how much is computed at the same time.
    """

    def __init__(self, separator: Separator, tiling: SharedTiling, room: Room) -> None:
        self.separator = separator
        self.tiling = tiling
        self._room = room
        self.ahead = room.ahead
        """Segments that a track hands in beyond the one it waits for."""
        self.computed_s = 0.0
        """Seconds that all tracks have been computed for; those of several threads count once."""
        self._waiting: list[_Request] = []
        self._computing = 0
        self._batches = 0
        self._over = False
        self._changed = threading.Condition()
        self._threads = ComputeThreads(self._work, name="network", count=room.workers)

    def __enter__(self) -> Self:
        self._threads.start()
        return self

    def __exit__(self, *error: object) -> None:
        with self._changed:
            self._over = True
            for request in self._waiting:
                request.result.cancel()
            self._waiting.clear()
            self._changed.notify_all()
        self._threads.join()

    def seat(self, turn: int = 0) -> Seat:
        """What a track sees of the network; the segments of lower turns come first."""
        return Seat(self, turn)

    def submit(self, request: _Request) -> None:
        """Let a segment wait for its turn."""
        with self._changed:
            if self._over:
                request.result.cancel()
                return
            self._waiting.append(request)
            self._changed.notify_all()

    def withdraw(self, turn: int) -> None:
        """Forget the segments of a track that wait."""
        with self._changed:
            for request in [each for each in self._waiting if each.place[0] == turn]:
                self._waiting.remove(request)
                request.result.cancel()

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            requests, room = taken
            fits = self._compute(requests)
            with self._changed:
                self._computing -= 1
                self._batches += requests[0].repeatable
                trim = requests[0].repeatable and self._batches % _BATCHES_PER_TRIM == 0
                self._changed.notify_all()
            if trim:
                trim_heaps()
            if not fits:
                release_memory()
                self._do_with_less(requests, room)

    def _take(self) -> tuple[list[_Request], Room] | None:
        """Wait for a batch; None when all is over."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._over or (self._waiting and self._computing < self._room.workers)
            )
            if self._over:
                return None
            self._waiting.sort(key=lambda request: request.place)
            first = self._waiting[0]
            alike = [request for request in self._waiting if request.goes_with(first)]
            taken = alike[: self._room.batch]
            for request in taken:
                self._waiting.remove(request)
            self._computing += 1
            return taken, self._room

    def _compute(self, requests: list[_Request]) -> bool:
        """Separate a batch; False if there is no memory for it."""
        first = requests[0]
        begun_s = time.perf_counter()
        try:
            with torch.inference_mode():
                mixes = [request.mix for request in requests]
                mix = mixes[0] if len(mixes) == 1 else torch.cat(mixes)
                stems = first.separate(mix)
                parts = torch.split(stems, [len(each) for each in mixes])
        except Exception as error:  # noqa: BLE001 - whoever waits gets it
            if is_out_of_memory(error):
                return False
            for request in requests:
                request.result.set_exception(error)
            return True
        self._charge(requests, time.perf_counter() - begun_s)
        for request, part in zip(requests, parts, strict=True):
            request.result.set_result(part)
        return True

    def _charge(self, requests: list[_Request], took_s: float) -> None:
        """Count how long the network has computed, and for whom."""
        with self._changed:
            share_s = took_s / self._room.workers
            self.computed_s += share_s
            for request in requests:
                request.seat.computed_s += share_s / len(requests)

    def _do_with_less(self, requests: list[_Request], room: Room) -> None:
        """Put a batch that did not fit back, to be computed with less beside it, if it can be."""
        with self._changed:
            if self._over:  # nobody computes any more
                for request in requests:
                    request.result.cancel()
                return
            smaller = room.smaller(len(requests))
            if smaller is None:
                length = requests[0].mix.shape[-1]
                requests[0].result.set_exception(MemoryError(f"for a segment of {length} samples"))
                return
            # Another thread may have found out before this one.
            if room == self._room:
                self._room = smaller
                logger.warning(
                    "the device's memory does not hold %d segments at a time: going on with %d",
                    len(requests) * room.workers,
                    smaller.batch * smaller.workers,
                )
            if requests[0].repeatable:
                self._waiting.extend(requests)
                self._changed.notify_all()
            else:
                requests[0].result.set_exception(LessRoomError("for a hop beside others"))


class Seat:
    """What one track sees of a `SharedNetwork`: a separator that answers later.

    Args:
        network: what computes.
        turn: of the track; lower ones come first.

    Attributes:
        computed_s: seconds that the network has computed for this track.
    """

    def __init__(self, network: SharedNetwork, turn: int) -> None:
        separator = network.separator
        self.sample_rate = separator.sample_rate
        self.channels = separator.channels
        self.sources = separator.sources
        self.stride = separator.stride
        self.surroundings = surroundings_of(separator)
        self.network = network
        self.computed_s = 0.0
        self._turn = turn
        self._count = 0

    def __call__(self, mix: Tensor) -> Tensor:
        """Separate float32 mix [B, C, T] into [B, S, C, T]."""
        return self.separate_within(mix, 0, mix.shape[-1])

    def separate_within(self, mix: Tensor, start: int, length: int) -> Tensor:
        """Separate a part of float32 mix [B, C, T] into [B, S, C, length]."""
        return self.begin(mix, start, length)()

    def begin(self, mix: Tensor, start: int, length: int) -> Callable[[], Tensor]:
        """Hand in a part of float32 mix [B, C, T]; calling the result waits for its stems.

        Raises:
            MemoryError: the device has no memory for a segment of this length.
        """
        separate = partial(separate_within, self.network.separator, start=start, length=length)
        return self._hand_in(mix, separate, (*mix.shape[1:], start, length))

    def follow(self, *, segment: int, hop: int, wanted: slice) -> SegmentFollower | None:
        """Follow a live stream in the network's threads, where the network can."""
        follower = follow(self.network.separator, segment=segment, hop=hop, wanted=wanted)
        return follower and _SeatedFollower(self, follower)

    def separate_once(self, mix: Tensor, separate: Callable[[Tensor], Tensor]) -> Tensor:
        """Let something that is not the same afterwards separate float32 mix [B, C, T].

        Raises:
            MemoryError: the device has no memory for it.
            LessRoomError: it had none beside others.
        """
        return self._hand_in(mix, separate, None)()

    def _hand_in(
        self, mix: Tensor, separate: Callable[[Tensor], Tensor], alike: Hashable | None
    ) -> Callable[[], Tensor]:
        request = _Request((self._turn, self._count), mix, separate, alike, self)
        self._count += 1
        self.network.submit(request)
        return request.result.result

    def watch(self) -> Watch:
        """Start to measure how long the track takes."""
        return Watch(self)

    def leave(self) -> None:
        """Withdraw what has been handed in and not begun."""
        self.network.withdraw(self._turn)


class _SeatedFollower:
    """A `SegmentFollower` that hears its stream in a track's thread and computes in the network's.

    Args:
        seat: of the track.
        follower: what follows.
    """

    def __init__(self, seat: Seat, follower: SegmentFollower) -> None:
        self._seat = seat
        self._follower = follower

    def __call__(self, segment: Tensor, hops: int = 1) -> Tensor:
        """Separate the next segment [B, C, T] into [B, S, C, wanted]."""
        return self._seat.separate_once(segment, partial(self._follower, hops=hops))

    def reset(self) -> None:
        """Forget the stream."""
        self._follower.reset()

    def begin_as(self, other: _SeatedFollower) -> None:
        """Let streams begin in the silence that another one has heard."""
        self._follower.begin_as(other._follower)


class Watch:
    """Measures the time of one track among several.

    Args:
        seat: of the track.
    """

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self._started_s = time.perf_counter()
        self._before_s = seat.network.computed_s - seat.computed_s

    @property
    def elapsed_s(self) -> float:
        """Seconds that have passed, but for those in which the network was at other tracks."""
        passed_s = time.perf_counter() - self._started_s
        others_s = self._seat.network.computed_s - self._seat.computed_s - self._before_s
        return passed_s - others_s
