"""What a run makes small."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from streamsep.config.training.section import Section

__all__ = ["LossConfig", "LossKind", "SvdPenaltyConfig"]

LossKind = Literal["l1", "mse", "rms"]


class LossConfig(Section):
    """The error of the estimates.

    Attributes:
        kind: `l1`, the mean absolute error; `mse`, the mean squared error; `rms`, its square root
            per example and source; or several with their weights, such as `{l1: 0.2, rms: 0.8}`.
        source_weights: what the error of a source weighs beside the others, by name; 1 for the
            ones that are not named.
        mixture: weight of the absolute error of the estimates' sum; 0 for none.
        relative: divide every example's errors by the deviation of its mixture, so that soft and
            loud ones count alike. False is for examples normalised as whole tracks, as in the
            papers.
    """

    kind: LossKind | Annotated[dict[LossKind, PositiveFloat], Field(min_length=1)] = "l1"
    source_weights: dict[str, NonNegativeFloat] = Field(default_factory=dict)
    mixture: NonNegativeFloat = 0.0
    relative: bool = True

    @property
    def weights(self) -> dict[LossKind, float]:
        """The weight of each kind of error."""
        return {self.kind: 1.0} if isinstance(self.kind, str) else dict(self.kind)


class SvdPenaltyConfig(Section):
    """The penalty on the largest singular values of the weights.

    Attributes:
        weight: what it is multiplied by before it is added to the loss; 0 for none.
        rank: dimensions that the approximation works in; more are slower and more exact.
        iterations: of the approximation.
        least_mib: smallest size in MiB (of float32) of the tensors that count.
    """

    weight: NonNegativeFloat = 0.0
    rank: PositiveInt = 100
    iterations: PositiveInt = 4
    least_mib: NonNegativeFloat = 1.0
