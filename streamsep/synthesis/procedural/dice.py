"""What a sound bank draws an instrument's settings with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Dice"]

Choice = TypeVar("Choice")


@dataclass(frozen=True, slots=True)
class Dice:
    """A random generator in the words of a sound designer.

    Attributes:
        rng: where chance comes from.
        sample_rate: samples per second of the instruments that are drawn.
    """

    rng: np.random.Generator
    sample_rate: int

    def between(self, low: float, high: float) -> float:
        """A number between two others, all equally likely."""
        return float(self.rng.uniform(low, high))

    def pick(self, *choices: Choice) -> Choice:
        """One of the choices; name one twice to make it twice as likely."""
        return choices[int(self.rng.integers(len(choices)))]

    def seed(self) -> int:
        """A seed for what the instrument itself draws while it plays."""
        return int(self.rng.integers(1 << 30))
