"""Stems out of step with each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from numpy.random import Generator
    from torch import Tensor

__all__ = ["Shift"]


@dataclass(frozen=True, slots=True)
class Shift:
    """Every stem starts up to `samples` later, by a draw of its own; what is left over is cut.

    ::

        given   ├───────────────────────────┤
        drums   ╎   ├───────────────────┤   ╎   all of one length, the given less `samples`
        bass    ├───────────────────┤       ╎
        vocals  ╎       ├───────────────────┤

    Attributes:
        samples: most that a stem is displaced by.

    Source: "Music Source Separation in the Waveform Domain", section "Training procedure": up to
    one second.
    """

    samples: int

    def needs(self, length: int) -> int:
        """The length and the longest way to go."""
        return length + self.samples

    def __call__(self, stems: Tensor, rng: Generator) -> Tensor:
        """Cut stems [S, C, T] to [S, C, T - samples]."""
        length = stems.shape[-1] - self.samples
        starts = rng.integers(self.samples + 1, size=len(stems)).tolist()
        return torch.stack(
            [stem[:, start : start + length] for stem, start in zip(stems, starts, strict=True)]
        )
