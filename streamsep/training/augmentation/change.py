"""What a change to an example is, and how often it happens.

A change of all stems takes and returns [S, C, T]; a change of one stem [C, T] becomes one of all
through `PerStem`. Neither alters what it is given. All chance comes from the generator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from numpy.random import Generator
from torch import Tensor

__all__ = ["Change", "PerStem", "Sometimes", "StemChange"]

StemChange = Callable[[Tensor, Generator], Tensor]
"""Maps one stem [C, T] to another of the same shape."""


class Change(Protocol):
    """Maps the stems [S, C, T] of an example to others, perhaps shorter ones."""

    def needs(self, length: int) -> int:
        """Samples T that it must be given so that at least `length` come out."""

    def __call__(self, stems: Tensor, rng: Generator) -> Tensor:
        """Change stems [S, C, T]."""


@dataclass(frozen=True, slots=True)
class PerStem:
    """Every stem is changed or not by a draw of its own.

    Attributes:
        probability: of the change, for each stem.
        change: what happens to it.
    """

    probability: float
    change: StemChange

    def needs(self, length: int) -> int:
        """As many as come out."""
        return length

    def __call__(self, stems: Tensor, rng: Generator) -> Tensor:
        """Change some of the stems [S, C, T]."""
        return torch.stack(
            [self.change(stem, rng) if rng.random() < self.probability else stem for stem in stems]
        )


@dataclass(frozen=True, slots=True)
class Sometimes:
    """All stems are changed alike, or none is.

    Attributes:
        probability: of the change.
        change: what happens to all [S, C, T] at once.
    """

    probability: float
    change: StemChange

    def needs(self, length: int) -> int:
        """As many as come out."""
        return length

    def __call__(self, stems: Tensor, rng: Generator) -> Tensor:
        """Change the stems [S, C, T] or leave them."""
        return self.change(stems, rng) if rng.random() < self.probability else stems
