"""How a run descends: the optimiser, its rate over time, the averages of the weights."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat

from streamsep.config.training.section import Section

__all__ = ["AveragesConfig", "OptimiserConfig", "ScheduleConfig"]

Decay = Annotated[float, Field(ge=0.0, lt=1.0)]
Pair = Annotated[tuple[Decay, Decay], Field(strict=False)]
Decays = Annotated[tuple[Decay, ...], Field(strict=False)]
"""How much of a mean remains at every step; a YAML list becomes a tuple."""


class OptimiserConfig(Section):
    """Adam.

    Attributes:
        learning_rate: the rate between warm-up and decay.
        betas: how slowly the means of the gradient and of its square move, both below 1.
        weight_decay: share of the weights added to the gradient.
        gradient_clip: largest norm of the gradient; 0 for no limit.
    """

    learning_rate: PositiveFloat = 3e-4
    betas: Pair = (0.9, 0.999)
    weight_decay: NonNegativeFloat = 0.0
    gradient_clip: NonNegativeFloat = 0.0


class ScheduleConfig(Section):
    """The learning rate over time: a linear rise, a constant, half a cosine wave down to zero.

    Attributes:
        warmup_steps: steps of the rise.
        decay_starts: share of the run after which the rate falls; 1 to stay constant.
    """

    warmup_steps: NonNegativeInt = 0
    decay_starts: float = Field(default=1.0, ge=0.0, le=1.0)


class AveragesConfig(Section):
    """Exponential moving averages of the weights; of all and the last weights the best are kept.

    Without songs to judge by it is the first average per batch, or else per epoch.

    Attributes:
        per_batch: decays of the averages that are updated after every step.
        per_epoch: decays of the averages that are updated after every epoch.
    """

    per_batch: Decays = ()
    per_epoch: Decays = ()
