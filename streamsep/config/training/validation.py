"""How a run is judged while it learns."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from streamsep.config.training.section import Section

__all__ = ["ValidationConfig"]


class ValidationConfig(Section):
    """What happens with the songs that are held out.

    Attributes:
        every: epochs from one validation to the next; there is always one at the end.
        metric: what decides which weights are best: the smallest `loss` or the largest `nsdr`.
        segment: samples that the network sees at once; None for those of a training example.
        latency_preset: name or file of a latency preset to separate with; None to separate as
            files are. A preset costs as many passes as its segment holds hops.
        most_s: seconds of each song, from its beginning; None for all.
    """

    every: PositiveInt = 1
    metric: Literal["loss", "nsdr"] = "loss"
    segment: int | None = Field(default=None, gt=0, multiple_of=2048)
    latency_preset: str | None = None
    most_s: PositiveFloat | None = None
