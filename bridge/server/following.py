"""Streams that are followed hop by hop: each begins in silence, which is computed once for all.

A network that follows a stream computes its first segment whole, several times as long as a hop. In
a session that would be late, and would make others late. But before its first sample a stream was
silent, and one silence is like the other: the engine computes it when it starts, and every stream
begins where that left off.
"""

from __future__ import annotations

import statistics
import time
from functools import partial
from typing import TYPE_CHECKING

import torch

from bridge.server.scheduler import Ticket
from streamsep.engine.separator import follow

if TYPE_CHECKING:
    from bridge.server.scheduler import Scheduler
    from streamsep.engine import Separator, StreamConfig
    from streamsep.engine.separator import SegmentFollower

__all__ = ["Following"]

_HOPS = 5


class Following:
    """Makes followers of streams.

    Args:
        separator: what separates.
        scheduler: who computes.
    """

    def __init__(self, separator: Separator, scheduler: Scheduler) -> None:
        self._separator = separator
        self._scheduler = scheduler
        self._silences: dict[int, SegmentFollower] = {}

    def __call__(self, *, segment: int, hop: int, wanted: slice) -> SegmentFollower | None:
        """Follow a stream; see `IncrementalSeparator.follow`. Silence is computed if need be."""
        follower = follow(self._separator, segment=segment, hop=hop, wanted=wanted)
        if follower is None:
            return None
        if segment not in self._silences:
            silence = follow(self._separator, segment=segment, hop=hop, wanted=wanted)
            assert silence is not None
            mix = torch.zeros(1, self._separator.channels, segment)
            self._scheduler.submit(mix, Ticket(), 0.0, silence).result()
            self._silences[segment] = silence
        follower.begin_as(self._silences[segment])
        return follower

    def measure_hop_s(self, config: StreamConfig, hops: int = _HOPS) -> float | None:
        """Seconds that a hop takes, by the scheduler; None if it cannot be followed."""
        wanted = config.tiling(self._separator.stride).weighted
        follower = self(segment=config.segment, hop=config.hop, wanted=wanted)
        if follower is None:
            return None
        took_s = []
        for _ in range(hops):
            mix = 0.1 * torch.randn(1, self._separator.channels, config.segment)
            started_s = time.monotonic()
            self._scheduler.submit(mix, Ticket(), started_s, partial(follower, hops=1)).result()
            took_s.append(time.monotonic() - started_s)
        return statistics.median(took_s)
