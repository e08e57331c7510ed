"""Where training examples come from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from streamsep.config.training.section import Section

__all__ = ["DataConfig"]

FileName = Annotated[str, Field(pattern=r"^[^/\\]+$")]


class DataConfig(Section):
    """How examples are drawn from a folder of songs.

    Attributes:
        draw: `random`, every example from a random place of a random song; or `grid`, a segment
            every `stride` samples of every song, each once per epoch and in a new order.
        examples_per_epoch: what counts as an epoch where places are random.
        stride: samples from one segment of the grid to the next.
        normalise: whether every song is brought to mean 0 and deviation 1, as it is when it is
            separated; None for yes with a grid and no with random places.
        stem_names: what the files of stems are called, without their extension; by the stem, for
            those that are not called like it, such as `{other: accompaniment}`.
        validation_share: share of the songs that are held out of training to judge it by, unless
            the songs are those of MUSDB18, whose official 14 are held out.
    """

    draw: Literal["random", "grid"] = "random"
    examples_per_epoch: PositiveInt = 1000
    stride: PositiveInt = 44_100
    normalise: bool | None = None
    stem_names: dict[str, FileName] = Field(default_factory=dict)
    validation_share: float = Field(default=0.0, ge=0.0, lt=1.0)

    @property
    def normalised(self) -> bool:
        """Whether songs are normalised."""
        return self.draw == "grid" if self.normalise is None else self.normalise
