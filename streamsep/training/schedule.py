"""The learning rate over time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamsep.config.training import ScheduleConfig

__all__ = ["rate_share_at"]


def rate_share_at(step: int, steps: int, config: ScheduleConfig) -> float:
    """The share of the full learning rate that a step takes.

    Args:
        step: steps done before, from 0.
        steps: steps of the whole run.
        config: when the rate rises and falls.

    Returns:
        0 to 1: a linear warm-up, a constant, then half a cosine wave down to 0.
    """
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    falling = step / steps - config.decay_starts
    if falling <= 0:
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * falling / (1 - config.decay_starts)))
