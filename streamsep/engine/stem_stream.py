"""Streams of stems at the network's own rate and channels.

`StemStream` is the seam: what stands above it (resampling, channels, consistency, sessions) asks
for push, flush, reset and a latency and knows nothing of segments. `SegmentStream` is the common
one. `ShiftedStream` averages several. A network that keeps state between hops can be another.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from streamsep.engine.fifo import SampleFifo
from streamsep.engine.overlap_add import OverlapAdd
from streamsep.engine.segmenter import Segmenter
from streamsep.engine.separator import begin, follow, surroundings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from streamsep.engine.refinement import Refinement
    from streamsep.engine.separator import SegmentFollower, Separator
    from streamsep.engine.tiling import Tiling

__all__ = ["LOUDEST", "SegmentStream", "ShiftedStream", "StemStream"]

LOUDEST = 1e15
"""No sample is let in or out beyond this: far above any sound, and far enough below the largest
float32 that sums, squares and filters of such samples stay finite."""


class StemStream(Protocol):
    """A mixture [G, C, T] goes in block by block, its stems [G, S, C, T] come out."""

    @property
    def latency(self) -> int:
        """Samples that must have come in before the first one goes out."""

    @property
    def wanted(self) -> int:
        """Samples to push until more of the stems may be finished, at least 1."""

    def push(self, block: Tensor) -> Tensor:
        """Take in [G, C, t], t from 0; return the finished stems [G, S, C, n], n from 0."""

    def flush(self) -> Tensor:
        """End the stream; return the rest, so that as much came out as went in; be as new."""

    def reset(self) -> None:
        """Drop the stream; be as new."""


class SegmentStream:
    """Separates segment by segment and overlap-adds the estimates.

    Where segments end with the stream (in files), separators that want to know what lies around a
    segment are given it. A live stream would have to wait for that.

    Args:
        separator: what separates.
        tiling: where the segments lie and what they weigh.
        groups: G, signals that run side by side as the network's batch.
        device: where the separator computes; audio stays on the CPU.
        refinement: what improves the estimates of each segment, or None.
        incremental: whether a segment may keep what it has in common with the one before, where
            the separator can do that and the stream is a live one.
        ahead: segments that may be handed in before the stems of an earlier one are there, for
            separators that defer. Stems then come out so many hops later than they could.
    """

    def __init__(
        self,
        separator: Separator,
        tiling: Tiling,
        *,
        groups: int,
        device: torch.device,
        refinement: Refinement | None = None,
        incremental: bool = False,
        ahead: int = 0,
    ) -> None:
        self._separator = separator
        self._ahead = ahead
        self._device = device
        self._refinement = refinement
        self._tiling = tiling
        self._around = 0 if tiling.pad_tail else surroundings_of(separator)
        surrounded = tiling.surrounded(self._around)
        self._segmenter = Segmenter(surrounded, groups, separator.channels)
        self._overlap_add = OverlapAdd(tiling, groups, len(separator.sources), separator.channels)
        used = tiling.weighted
        heard = refinement.heard(used) if refinement else used
        self._heard = slice(heard.start, min(heard.stop, tiling.segment))
        self._used = slice(used.start - heard.start, used.stop - heard.start)
        self._nothing = torch.zeros(groups, len(separator.sources), separator.channels, 0)
        self._latency = surrounded.latency
        self._follower = self._follow() if incremental and tiling.pad_tail else None
        self.reset()

    def _follow(self) -> SegmentFollower | None:
        segment, hop = self._tiling.segment, self._tiling.hop
        return follow(self._separator, segment=segment, hop=hop, wanted=self._heard)

    @property
    def latency(self) -> int:
        """Samples that must have come in before the first one goes out."""
        return self._latency

    @property
    def wanted(self) -> int:
        """Samples to push until more of the stems is finished, at least 1."""
        return self._segmenter.wanted

    def reset(self) -> None:
        """Drop the stream; be as new."""
        self._segmenter.reset()
        self._overlap_add.reset()
        if self._follower is not None:
            self._follower.reset()
        self._under_way: deque[Callable[[], Tensor]] = deque()
        self._emitted = 0
        self._before_stream = self._around

    def push(self, block: Tensor) -> Tensor:
        """Take in [G, C, t]; return the stems that are finished, [G, S, C, n]."""
        finished = [self._nothing]
        for segment in self._segmenter.push(block):
            self._under_way.append(self._begin(segment))
            finished += self._wait_for_all_but(self._ahead)
        return self._emitted_as_one(finished)

    def flush(self) -> Tensor:
        """End the stream; return the rest of the stems; be as new."""
        self._under_way.extend(self._begin(segment) for segment in self._segmenter.flush())
        tail = self._emitted_as_one([self._nothing, *self._wait_for_all_but(0)])
        surplus = self._emitted - self._segmenter.received
        self.reset()
        return tail[..., : tail.shape[-1] - surplus] if surplus > 0 else tail

    def _emitted_as_one(self, finished: Sequence[Tensor]) -> Tensor:
        stems = torch.cat(list(finished), dim=-1)
        self._emitted += stems.shape[-1]
        return stems

    def _wait_for_all_but(self, ahead: int) -> Iterator[Tensor]:
        """Yield what the oldest segments under way finish, until only so many are left."""
        while len(self._under_way) > ahead:
            later = self._under_way.popleft()
            with torch.inference_mode():
                estimate = later()
            yield self._overlap_add.add(estimate)

    def _begin(self, segment: Tensor) -> Callable[[], Tensor]:
        """Hand in a segment [G, C, T'], what was added around it included."""
        # What lies before the stream is nothing, which a separator may not hear as zeros.
        mix = segment[..., self._before_stream :].to(self._device)
        start = self._around - self._before_stream
        self._before_stream = max(0, self._before_stream - self._tiling.hop)
        length = min(self._tiling.segment, mix.shape[-1] - start)
        with torch.inference_mode():
            if self._follower is None:
                later = begin(self._separator, mix, start, length)
                heard = self._heard
            else:
                later = partial(self._follower, mix)
                heard = slice(None)
        return partial(
            self._estimate, later, heard, mix[..., start : start + length][..., self._heard]
        )

    def _estimate(self, later: Callable[[], Tensor], heard: slice, mix: Tensor) -> Tensor:
        """Wait for the stems of a segment, and of these give what is used, [G, S, C, n].

        Args:
            later: waits for them, [G, S, C, t].
            heard: where in them lies what is heard.
            mix: what is heard of the segment, [G, C, T].
        """
        estimate = _made_finite(later()[..., heard].float())
        if self._refinement is not None:
            used = slice(self._used.start, min(self._used.stop, mix.shape[-1]))
            estimate = self._refinement(mix.to(estimate.device), estimate, used)
        return estimate.cpu()


def _made_finite(estimate: Tensor) -> Tensor:
    """What a network makes of extreme input must not reach the speakers."""
    estimate = torch.nan_to_num(estimate, nan=0.0, posinf=0.0, neginf=0.0)
    return estimate.clamp_(-LOUDEST, LOUDEST)


class ShiftedStream:
    """The mean of several streams that each see the signal a little later (the "shift trick").

    Moving the signal against the grid of segments changes the estimate's errors, and averaging
    lowers them: up to 0.2 dB by the authors' account, for `shifts` times the work.

    Args:
        make_stream: makes one stream.
        delays: samples of silence before the signal, one stream each.
        silence: the level of it.

    Source: "Music Source Separation in the Waveform Domain", section "Randomized equivariant
    stabilization".
    """

    def __init__(
        self,
        make_stream: Callable[[], StemStream],
        delays: Sequence[int],
        silence: float = 0.0,
    ) -> None:
        self._streams = [make_stream() for _ in delays]
        self._delays = tuple(delays)
        self._silence = silence
        self._fifos = [SampleFifo() for _ in delays]
        self.reset()

    @property
    def latency(self) -> int:
        """Samples that must have come in before the first one goes out.

        The silence before the signal is there at once, so no delay adds to it.
        """
        return max(stream.latency for stream in self._streams)

    @property
    def wanted(self) -> int:
        """Samples to push until more of the stems may be finished, at least 1."""
        return min(stream.wanted for stream in self._streams) if self._started else 1

    def reset(self) -> None:
        """Drop the stream; be as new."""
        for stream, fifo in zip(self._streams, self._fifos, strict=True):
            stream.reset()
            fifo.clear()
        self._started = False
        self._to_skip = list(self._delays)

    def push(self, block: Tensor) -> Tensor:
        """Take in [G, C, t]; return the mean of the stems that all streams have finished."""
        for index, stream in enumerate(self._streams):
            if not self._started:
                silence = block.new_full((*block.shape[:-1], self._delays[index]), self._silence)
                self._keep(index, stream.push(silence))
            self._keep(index, stream.push(block))
        self._started = True
        return self._mean(min(len(fifo) for fifo in self._fifos))

    def flush(self) -> Tensor:
        """End the stream; return the rest of the stems; be as new."""
        for index, stream in enumerate(self._streams):
            self._keep(index, stream.flush())
        rest = self._mean(min(len(fifo) for fifo in self._fifos))
        self.reset()
        return rest

    def _keep(self, index: int, stems: Tensor) -> None:
        """Queue what a stream gave, without its answer to the silence before the signal."""
        skipped = min(self._to_skip[index], stems.shape[-1])
        self._to_skip[index] -= skipped
        self._fifos[index].push(stems[..., skipped:])

    def _mean(self, count: int) -> Tensor:
        total = self._fifos[0].pop(count)
        for fifo in self._fifos[1:]:
            total = total + fifo.pop(count)
        return total / len(self._fifos)
