"""A song whose stems are known, because we played them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streamsep.synthesis.score import STEMS, Stem

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Song"]


@dataclass(frozen=True, slots=True)
class Song:
    """Four stems and, as their sum, the mixture.

    Attributes:
        sample_rate: samples per second.
        stems: float32 [C=2, T] for every stem, all of the same length.
    """

    sample_rate: int
    stems: dict[Stem, NDArray[np.float32]]

    @property
    def mixture(self) -> NDArray[np.float32]:
        """The sum of the stems, float32 [C=2, T]."""
        total = np.zeros_like(self.stems[STEMS[0]])
        for stem in STEMS:
            total += self.stems[stem]
        return total
