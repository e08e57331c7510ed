"""How training examples are changed."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, NonNegativeInt, PositiveFloat

from streamsep.config.training.section import Section

__all__ = ["AugmentationConfig"]


def _in_order(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError("expected the smaller number first")
    return pair


Probability = Annotated[float, Field(ge=0.0, le=1.0)]
Share = Annotated[float, Field(ge=0.0, le=0.5)]
Decibels = Annotated[float, Field(ge=-120.0, le=120.0)]
DecibelRange = Annotated[tuple[Decibels, Decibels], Field(strict=False), AfterValidator(_in_order)]
PositiveRange = Annotated[
    tuple[PositiveFloat, PositiveFloat], Field(strict=False), AfterValidator(_in_order)
]
"""Least and most; a YAML list becomes a tuple."""


class AugmentationConfig(Section):
    """How often, and how much, training examples are changed. By default nothing is.

    A number without a unit in its description is the probability of a change.

    Attributes:
        remix: that every stem comes from a place and a song of its own.
        repitch: that tempo and pitch change, of all stems alike.
        repitch_semitones: by how many semitones at most, up or down; no more than two octaves.
        repitch_tempo: standard deviation of the tempo's change, as a share: 0.05 is 5 %.
        repitch_tempo_limit: most that the tempo changes, as a share.
        varispeed: that a stem plays faster and higher, or slower and lower, as a tape does.
        varispeed_range: by how much at most, as a share.
        drive: that a stem is saturated.
        tilt: that a stem's spectrum is tilted.
        tilt_db: by how many dB at most at either end.
        mono: that a stem's channels become one.
        shift_s: seconds by which each stem is displaced at most, no more than 60; 0 for none.
        swap_channels: that a stem's left and right change places.
        flip_sign: that a stem's waveform is turned upside down.
        scale: range of the factor that each stem is multiplied by.
        gain_db: range of the gain in dB that each stem gets; in place of `scale` or on top of it.
        stem_dropout: that a stem falls silent.
        lowpass: that all stems lose their treble.
        remix_group: how many examples of a batch exchange their stems; 0 for none.
    """

    remix: Probability = 0.0
    repitch: Probability = 0.0
    repitch_semitones: int = Field(default=2, ge=0, le=24)
    repitch_tempo: Share = 0.05
    repitch_tempo_limit: Share = 0.12
    varispeed: Probability = 0.0
    varispeed_range: Share = 0.12
    drive: Probability = 0.0
    tilt: Probability = 0.0
    tilt_db: float = Field(default=6.0, ge=0.0, le=24.0)
    mono: Probability = 0.0
    shift_s: float = Field(default=0.0, ge=0.0, le=60.0)
    swap_channels: Probability = 0.0
    flip_sign: Probability = 0.0
    scale: PositiveRange = (1.0, 1.0)
    gain_db: DecibelRange = (0.0, 0.0)
    stem_dropout: Probability = 0.0
    lowpass: Probability = 0.0
    remix_group: NonNegativeInt = 0
