"""Streams that are followed hop by hop: each begins in silence, which is computed once for all.

A network that follows a stream computes its first segment whole, several times as long as a hop. In
a session that would be late, and would make others late. But before its first sample a stream was
silent, and one silence is like the other: the engine computes it before it lets a session in, and
every stream begins where that left off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from bridge.server.scheduler import Ticket
from streamsep.engine.separator import follow

if TYPE_CHECKING:
    from bridge.server.scheduler import Scheduler
    from streamsep.engine import Separator, StreamConfig
    from streamsep.engine.separator import SegmentFollower

__all__ = ["Following"]


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
        if not self.knows_silence(segment):
            silence = follow(self._separator, segment=segment, hop=hop, wanted=wanted)
            assert silence is not None
            mix = torch.zeros(1, self._separator.channels, segment)
            self._scheduler.submit(mix, Ticket(), 0.0, silence).result()
            self._silences[segment] = silence
        follower.begin_as(self._silences[segment])
        return follower

    def knows_silence(self, segment: int) -> bool:
        """Whether streams with segments of this length begin at once."""
        return segment in self._silences

    def follows(self, config: StreamConfig) -> bool:
        """Whether streams of a tiling can be followed."""
        wanted = config.tiling(self._separator.stride).weighted
        return (
            follow(self._separator, segment=config.segment, hop=config.hop, wanted=wanted)
            is not None
        )

    def stream_of(self, config: StreamConfig) -> SegmentFollower | None:
        """Follow a stream of a tiling; None if it cannot be followed."""
        wanted = config.tiling(self._separator.stride).weighted
        return self(segment=config.segment, hop=config.hop, wanted=wanted)
