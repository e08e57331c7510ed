r"""How segments tile a stream, and what each sample of a segment's estimate is worth.

A network sees one segment at a time. Consecutive segments start one hop apart and overlap, and
where they overlap their estimates are averaged with weights. All that distinguishes separating a
file from separating a stream is the choice of these weights.

Files (`OverlapConfig`): a triangle over the whole segment, one quarter of overlap, as Demucs does.
The edges of a segment, where the network lacks a neighbourhood, count least::

    weight      /\        /\        /\
               /  \      /  \      /  \
              /    \    /    \    /    \
             /      \  /      \  /      \
            /        \/        \/        \
           /         /\        /\         \
           |<--- segment --->|
           |<-- hop -->|

Streams (`StreamConfig`): a sample must leave as soon as one segment has seen enough of its future.
Of each segment only one hop is used, after the context (the past that helps the network) and before
the look-ahead (the future it is granted). A crossfade into the look-ahead hides the seam::

    weight                           ________
                                    /        \
           ________________________/          \_____
           |<------ context ----->|<-- hop -->|<- look-ahead ->|
                                              |<>| crossfade

Whatever the weights, the output is the weighted sum of the estimates over the sum of the weights,
so estimates that agree pass unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from streamsep.engine.separator import longest_context_of
from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from streamsep.config import LatencyPreset
    from streamsep.engine.separator import Separator

__all__ = ["LEAST_WEIGHT", "OverlapConfig", "StreamConfig", "Tiling"]

LEAST_WEIGHT = 1e-20
"""Weights that are not zero are at least this: float32 still divides by it without loss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiling:
    """Segments on the time axis: number k covers [k·hop − context, k·hop − context + segment).

    Attributes:
        segment: samples per segment.
        hop: samples between the starts of consecutive segments.
        context: samples of the first segment that lie before the stream (zeros).
        weight: float32 [segment], at least 0.
        pad_tail: complete the last segments of a stream with zeros; otherwise they are shorter.
    """

    segment: int
    hop: int
    context: int
    weight: Tensor
    pad_tail: bool

    @property
    def latency(self) -> int:
        """Samples that must have come in before the first one goes out."""
        return self.segment - self.context

    def surrounded(self, samples: int) -> Tiling:
        """The same tiling with so many samples more on either side of every segment.

        They weigh nothing: a separator may look at them.
        """
        return Tiling(
            segment=self.segment + 2 * samples,
            hop=self.hop,
            context=self.context + samples,
            weight=torch.nn.functional.pad(self.weight, (samples, samples)),
            pad_tail=self.pad_tail,
        )

    @property
    def weighted(self) -> slice:
        """The samples of a segment's estimate that are used at all."""
        used = torch.nonzero(self.weight)
        return slice(int(used[0]), int(used[-1]) + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamConfig:
    """A live tiling, in samples at the network's rate.

    Attributes:
        context: what a segment sees before the samples it emits, at least 0.
        hop: samples emitted per segment, above 0.
        look_ahead: what a segment sees after the samples it emits, at least 0.
        crossfade: samples over which one segment's estimate blends into the next one's; it lies
            in the look-ahead, so at most `look_ahead`, and at most `hop`.

    Raises:
        ConfigError: a value is out of its range.
    """

    context: int
    hop: int
    look_ahead: int
    crossfade: int = 0

    def __post_init__(self) -> None:
        if self.context < 0 or self.hop < 1 or self.look_ahead < 0:
            raise ConfigError(
                f"context, hop and look_ahead must be at least 0, 1 and 0, got {self.context}, "
                f"{self.hop} and {self.look_ahead}"
            )
        if not 0 <= self.crossfade <= min(self.hop, self.look_ahead):
            raise ConfigError(
                f"crossfade must be from 0 to the smaller of hop ({self.hop}) and look_ahead "
                f"({self.look_ahead}), got {self.crossfade}"
            )

    @classmethod
    def from_preset(cls, preset: LatencyPreset) -> StreamConfig:
        """The tiling of a latency preset, as `streamsep.load_preset` gives it.

        Presets are made for no network in particular; `fitted_to` takes them to one.
        """
        return cls(
            context=preset.context,
            hop=preset.hop,
            look_ahead=preset.look_ahead,
            crossfade=preset.crossfade,
        )

    def fitted_to(self, network: Separator) -> StreamConfig:
        """The nearest tiling that a network can use and makes use of.

        Context, hop and look-ahead are rounded up to multiples of the network's stride, so the
        latency can grow by up to two strides. A context that is longer than the network's
        `longest_context` is cut to that. The crossfade stays.
        """
        longest = longest_context_of(network)
        context = self.context if longest is None else min(self.context, longest)
        context, hop, look_ahead = (
            -(-length // network.stride) * network.stride
            for length in (context, self.hop, self.look_ahead)
        )
        return StreamConfig(
            context=context, hop=hop, look_ahead=look_ahead, crossfade=self.crossfade
        )

    @property
    def segment(self) -> int:
        """Samples that the network sees at once."""
        return self.context + self.hop + self.look_ahead

    @property
    def latency(self) -> int:
        """Samples between an input sample and the output sample that depends on it."""
        return self.hop + self.look_ahead

    def tiling(self, stride: int) -> Tiling:
        """The tiling for a network of the given stride.

        Raises:
            ConfigError: segments would not start at multiples of the stride, where the network
                would hear the same sound differently every time.
        """
        off_grid = {
            name: value
            for name in ("context", "hop", "look_ahead")
            if (value := getattr(self, name)) % stride
        }
        if off_grid:
            raise ConfigError(
                f"context, hop and look_ahead must be multiples of the network's stride {stride}, "
                f"got {', '.join(f'{name}={value}' for name, value in off_grid.items())}; "
                "fitted_to(network) rounds them up"
            )
        # Half a step inside, so that the two ramps of a seam add up to one and neither is zero.
        ramp = (torch.arange(self.crossfade, dtype=torch.float32) + 0.5) / max(1, self.crossfade)
        weight = torch.zeros(self.segment)
        start, end = self.context, self.context + self.hop
        weight[start:end] = 1.0
        weight[start : start + self.crossfade] = ramp
        weight[end : end + self.crossfade] = 1.0 - ramp
        return Tiling(
            segment=self.segment, hop=self.hop, context=self.context, weight=weight, pad_tail=True
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlapConfig:
    """Demucs' tiling for files, in samples at the network's rate.

    Attributes:
        segment: samples that the network sees at once, above 0.
        overlap: share of a segment that the next one covers too, 0 to below 1.
        transition_power: the weights are raised to this power, at least 1; larger is sharper.

    Raises:
        ConfigError: a value is out of its range.

    Source: the behaviour of `demucs.apply.apply_model`.
    """

    segment: int
    overlap: float = 0.25
    transition_power: float = 1.0

    def __post_init__(self) -> None:
        if self.segment < 2 or not 0 <= self.overlap < 1 or self.transition_power < 1:
            raise ConfigError(
                "segment must be at least 2 samples, overlap from 0 to below 1 and "
                f"transition_power at least 1, got {self.segment}, {self.overlap} and "
                f"{self.transition_power}"
            )
        if self.hop < 1:
            raise ConfigError(
                f"overlap {self.overlap} of a segment of {self.segment} samples leaves no hop; "
                "use a smaller overlap or a longer segment"
            )

    @property
    def hop(self) -> int:
        """Samples between the starts of consecutive segments."""
        return int((1 - self.overlap) * self.segment)

    def halved(self, stride: int, *, least: int) -> OverlapConfig | None:
        """The same with half the segment or a little less; None where that would be too short.

        Args:
            stride: of the network. A segment becomes a multiple of four strides, so that the hop
                after a quarter of overlap lies on the grid too.
            least: samples that a segment must have.
        """
        grid = 4 * stride
        segment = self.segment // 2 // grid * grid
        return replace(self, segment=segment) if segment >= max(grid, least) else None

    def tiling(self, stride: int) -> Tiling:
        """The tiling; the network's stride does not restrict it (file defaults respect it)."""
        half = self.segment // 2
        rise = torch.arange(1, half + 1, dtype=torch.float32)
        fall = torch.arange(self.segment - half, 0, -1, dtype=torch.float32)
        weight = torch.cat([rise, fall])
        # A sharp transition must not round to zero: at the ends of the stream, where one segment
        # stands alone, its weight cancels out, but only if there is one.
        weight = ((weight / weight.max()) ** self.transition_power).clamp(min=LEAST_WEIGHT)
        return Tiling(segment=self.segment, hop=self.hop, context=0, weight=weight, pad_tail=False)
