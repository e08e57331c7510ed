"""Quality against latency: one network under many live tilings.

A live tiling has three lengths. The look-ahead is what the network may hear after the samples it
emits; the hop is what it emits at once, so its first sample enjoys a hop more of the future than
its last one; the segment is all that it hears. Latency is hop plus look-ahead, work is segment over
hop (less where hops keep what they can of the one before), quality is what the sweep measures.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from streamsep.engine import StreamConfig
from streamsep.errors import ConfigError
from streamsep.evaluation.methods import AS_ESTIMATED, Live
from streamsep.evaluation.summary import ALL, NSDR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamsep.evaluation.methods import Finish
    from streamsep.evaluation.summary import Summary

__all__ = ["DEFAULT_GRID", "Grid", "SweepPoint", "best_by_latency", "sweep_points"]

LONGEST_CROSSFADE = 2048


@dataclass(frozen=True, slots=True)
class Grid:
    """The tilings of a sweep, in samples at the network's rate; what is empty is yet to be chosen.

    Attributes:
        hops: samples emitted per segment.
        look_aheads: samples heard after those.
        segments: samples heard in all; what hop and look-ahead leave of one is its context.
    """

    hops: tuple[int, ...]
    look_aheads: tuple[int, ...]
    segments: tuple[int, ...]

    def completed(self, stride: int) -> Grid:
        """What of it is empty, taken from the default grid, rounded up to the network's stride.

        Lengths that somebody chose stay, so that off the grid of the network they are refused.
        """

        def fitted(lengths: tuple[int, ...]) -> tuple[int, ...]:
            return tuple(dict.fromkeys(-(-length // stride) * stride for length in lengths))

        return Grid(
            hops=self.hops or fitted(DEFAULT_GRID.hops),
            look_aheads=self.look_aheads or fitted(DEFAULT_GRID.look_aheads),
            segments=self.segments or fitted(DEFAULT_GRID.segments),
        )

    def methods(
        self, stride: int, finish: Finish = AS_ESTIMATED, *, incremental: bool = False
    ) -> list[Live]:
        """Every tiling there is room for, the shortest latency first.

        Args:
            stride: the network's.
            finish: what is done to the estimates.
            incremental: as in `Live`.

        Raises:
            ConfigError: a length is off the network's grid, or no segment has room.
        """
        tilings = [
            StreamConfig(
                context=segment - hop - look_ahead,
                hop=hop,
                look_ahead=look_ahead,
                crossfade=min(LONGEST_CROSSFADE, hop // 2, look_ahead // 2),
            )
            for segment, hop, look_ahead in product(self.segments, self.hops, self.look_aheads)
            if hop + look_ahead <= segment
        ]
        if not tilings:
            raise ConfigError(
                f"no segment of {', '.join(map(str, self.segments))} samples has room for a hop of "
                f"{min(self.hops)} and a look-ahead of {min(self.look_aheads)}; give longer ones"
            )
        for tiling in tilings:
            tiling.tiling(stride)
        tilings.sort(key=lambda tiling: (tiling.latency, tiling.segment, tiling.hop))
        return [Live(_name(tiling), tiling, finish, incremental) for tiling in tilings]


DEFAULT_GRID = Grid(
    hops=(2048, 8192, 22528),
    look_aheads=(0, 2048, 8192, 45056),
    segments=(67584, 135168),  # 1.5 s and, as in the presets, 3 s at 44.1 kHz
)
"""For networks of a stride of up to 2048; `Grid.completed` has it for others."""


@dataclass(frozen=True, slots=True)
class SweepPoint:
    """What one tiling scored.

    Attributes:
        tiling: the tiling.
        nsdr_db: mean nSDR over the songs by stem, and over the stems as `ALL`.
        incremental: whether every hop kept what it could of what the one before had computed.
    """

    tiling: StreamConfig
    nsdr_db: dict[str, float | None]
    incremental: bool = False

    @property
    def passes(self) -> float | None:
        """How many times each sample goes through the network.

        None where hops keep what they can: what is computed anew then depends on the layer.
        """
        return None if self.incremental else self.tiling.segment / self.tiling.hop


def sweep_points(summary: Summary, methods: Sequence[Live]) -> list[SweepPoint]:
    """The figures of a grid's methods, in their order."""
    return [
        SweepPoint(
            method.tiling,
            {stem: summary.figure(NSDR, method.name, stem) for stem in (*summary.sources, ALL)},
            method.incremental,
        )
        for method in methods
    ]


def best_by_latency(points: Sequence[SweepPoint]) -> list[SweepPoint]:
    """The points that no other beats at the same latency or a shorter one."""
    best: list[SweepPoint] = []
    for point in sorted(points, key=lambda point: (point.tiling.latency, -_quality(point))):
        if not best or _quality(point) > _quality(best[-1]):
            best.append(point)
    return best


def _quality(point: SweepPoint) -> float:
    quality = point.nsdr_db[ALL]
    return float("-inf") if quality is None else quality


def _name(tiling: StreamConfig) -> str:
    return f"segment{tiling.segment}-hop{tiling.hop}-ahead{tiling.look_ahead}"
