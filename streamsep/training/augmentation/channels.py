"""Left, right and the middle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy.random import Generator
    from torch import Tensor

__all__ = ["MakeMono", "SwapChannels"]


@dataclass(frozen=True, slots=True)
class SwapChannels:
    """Left becomes right.

    Source: "Music Source Separation in the Waveform Domain", section "Training procedure".
    """

    def __call__(self, stem: Tensor, rng: Generator) -> Tensor:
        """Change one stem [C, T]."""
        return stem.flip(0)


@dataclass(frozen=True, slots=True)
class MakeMono:
    """The same sound in every channel, as bass, kick and voice often are."""

    def __call__(self, stem: Tensor, rng: Generator) -> Tensor:
        """Change one stem [C, T]."""
        return stem.mean(0, keepdim=True).expand_as(stem)
