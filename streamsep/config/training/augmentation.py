"""How training examples are changed."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from streamsep.config.yaml_file import Document

__all__ = ["AugmentationConfig"]

Probability = Annotated[float, Field(ge=0.0, le=1.0)]
Pair = Annotated[tuple[float, float], Field(strict=False)]
"""Two numbers; a YAML list becomes a tuple."""


class AugmentationConfig(Document):
    """How often, and how much, training examples are changed. Zero turns a change off."""

    remix: Probability = 0.0
    stem_dropout: Probability = 0.0
    mono: Probability = 0.0
    swap_channels: Probability = 0.0
    flip_sign: Probability = 0.0
    repitch: Probability = 0.0
    repitch_range: float = Field(default=0.12, ge=0.0, le=0.5)
    tilt: Probability = 0.0
    tilt_db: float = Field(default=6.0, ge=0.0, le=24.0)
    drive: Probability = 0.0
    lowpass: Probability = 0.0
    gain_db: Pair = (-12.0, 2.0)
