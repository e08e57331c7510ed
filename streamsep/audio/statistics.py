"""The first pass over a track: how long and how loud it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamsep.audio.sanitize import replace_non_finite

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

__all__ = ["TrackStatistics", "measure"]


@dataclass(frozen=True, slots=True)
class TrackStatistics:
    """What `measure` found.

    Attributes:
        frames: samples per channel.
        mean: mean of the mono mix.
        deviation: standard deviation of the mono mix; 1 where the track is constant or so short
            that there is none, because it divides.
    """

    frames: int
    mean: float
    deviation: float


def measure(blocks: Iterable[Tensor]) -> TrackStatistics:
    """Measure a track given as blocks [C, t], in one pass and bounded memory."""
    frames, total, squares = 0, 0.0, 0.0
    for block in blocks:
        mono = replace_non_finite(block)[0].double().mean(0)
        frames += len(mono)
        total += float(mono.sum())
        squares += float(mono.square().sum())
    mean = total / max(1, frames)
    variance = max(0.0, squares - frames * mean**2) / max(1, frames - 1)
    deviation = math.sqrt(variance)
    # Below this the sums' rounding is all there is: a constant track, not a quiet one.
    constant = deviation <= 1e-7 * abs(mean) or deviation < 1e-12
    return TrackStatistics(frames, mean, 1.0 if constant else deviation + 1e-8)
