"""Tempo and pitch together, as a tape that runs too fast or too slow changes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch.nn import functional as F

if TYPE_CHECKING:
    from numpy.random import Generator
    from torch import Tensor

__all__ = ["Varispeed"]


@dataclass(frozen=True, slots=True)
class Varispeed:
    """Play faster or slower, which moves pitch and formants too.

    Cheap, for music without a beat in common: every stem takes its own speed.

    Attributes:
        amount: most that the speed changes, as a share: 0.1 is 10 %.
    """

    amount: float

    def __call__(self, stem: Tensor, rng: Generator) -> Tensor:
        """Change one stem [C, T]."""
        length = stem.shape[-1]
        speed = float(rng.uniform(1 - self.amount, 1 + self.amount))
        # Only a faster take runs out of samples: it starts again from the beginning.
        taken = min(length, int(length * min(1.0, speed)))
        resized = F.interpolate(
            stem[None, :, :taken], scale_factor=1 / speed, mode="linear", align_corners=False
        )[0]
        repeats = -(-length // resized.shape[-1])
        return resized.repeat(1, repeats)[:, :length]
