"""How loud a stem is, which way up, and whether it is there at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from numpy.random import Generator
    from torch import Tensor

__all__ = ["DropStem", "FlipSign", "Gain", "Scale"]


@dataclass(frozen=True, slots=True)
class FlipSign:
    """The waveform upside down.

    Source: "Music Source Separation in the Waveform Domain", section "Training procedure".
    """

    def __call__(self, stem: Tensor, rng: Generator) -> Tensor:
        """Change one stem [C, T]."""
        return -stem


@dataclass(frozen=True, slots=True)
class Scale:
    """Multiply by a factor, all factors of a range being equally likely.

    Attributes:
        least: smallest factor.
        most: largest factor.

    Source: Uhlich et al., "Improving music source separation based on deep neural networks through
    data augmentation and network blending"; 0.25 to 1.25 in the settings published with "Hybrid
    Spectrogram and Waveform Source Separation".
    """

    least: float
    most: float

    def __call__(self, stem: Tensor, rng: Generator) -> Tensor:
        """Change one stem [C, T]."""
        return stem * float(rng.uniform(self.least, self.most))


@dataclass(frozen=True, slots=True)
class Gain:
    """Make louder or softer by a gain of which all decibels of a range are equally likely.

    Attributes:
        least_db: smallest gain.
        most_db: largest gain.
    """

    least_db: float
    most_db: float

    def __call__(self, stem: Tensor, rng: Generator) -> Tensor:
        """Change one stem [C, T]."""
        return stem * float(10 ** (rng.uniform(self.least_db, self.most_db) / 20))


@dataclass(frozen=True, slots=True)
class DropStem:
    """Silence: the network must learn that a stem may be absent."""

    def __call__(self, stem: Tensor, rng: Generator) -> Tensor:
        """Change one stem [C, T]."""
        return torch.zeros_like(stem)
