"""Training for live streams."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, NonNegativeInt, model_validator

from streamsep.config.latency_preset import GRID
from streamsep.config.training.section import Section

__all__ = ["StreamingConfig"]

Range = Annotated[
    tuple[
        Annotated[int, Field(ge=0, multiple_of=GRID)], Annotated[int, Field(ge=0, multiple_of=GRID)]
    ],
    Field(strict=False),
]
"""Least and most, in samples, multiples of 2048; a YAML list becomes a tuple."""


class StreamingConfig(Section):
    """The live tilings that a run practises, a new one for every example.

    Attributes:
        segment: least and most samples that the network sees, drawn for every step. The most is at
            most the samples of a training example.
        hop: least and most samples of a segment that count.
        look_ahead: least and most samples after them. What remains of the segment is context.
        crossfade: samples by which the weight rises and falls at the ends of the hop, as far as hop
            and look-ahead allow.
    """

    segment: Range
    hop: Range
    look_ahead: Range
    crossfade: NonNegativeInt = 2048

    @model_validator(mode="after")
    def _fits(self) -> StreamingConfig:
        for key in ("segment", "hop", "look_ahead"):
            least, most = getattr(self, key)
            if least > most:
                raise ValueError(
                    f"key '{key}': got [{least}, {most}], expected the smaller number first"
                )
        if self.hop[0] == 0:
            raise ValueError(f"key 'hop': got 0 at least, expected {GRID} or more")
        longest = self.hop[1] + self.look_ahead[1]
        if longest > self.segment[0]:
            raise ValueError(
                f"key 'segment': got {self.segment[0]} at least, expected {longest} or more: "
                "the longest hop and look_ahead together"
            )
        return self
