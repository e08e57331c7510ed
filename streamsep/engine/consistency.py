"""Mixture consistency: making the stems sum to the mixture.

A network's estimates do not add up to what went in. Whoever mixes stems expects that all faders at
zero give the song back. The difference, the residual r = mixture − Σ stems, must then go somewhere:

- `ResidualIntoOther` adds it to one stem. The others are the network's, untouched.
- `SharedByEnergy` gives every stem a share in proportion to its energy of late, on the thought that
  an error is likely to belong to whoever plays.

Both work sample by sample in the order of the stream, so that block sizes do not matter.
"""

from __future__ import annotations

import math
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from streamsep.errors import ConfigError

__all__ = [
    "CONSISTENCY_NAMES",
    "Consistency",
    "ConsistencyName",
    "ResidualIntoOther",
    "SharedByEnergy",
    "make_consistency",
]

ConsistencyName = Literal["off", "other", "energy"]
CONSISTENCY_NAMES: tuple[ConsistencyName, ...] = ("off", "other", "energy")


class Consistency(Protocol):
    """Changes stems so that they sum to the mixture."""

    def __call__(self, mix: Tensor, stems: Tensor) -> Tensor:
        """Take aligned mix [C, n] and stems [S, C, n]; return stems [S, C, n]."""

    def reset(self) -> None:
        """Forget the stream."""


class ResidualIntoOther:
    """Gives the residual to one stem.

    Args:
        index: which.
    """

    def __init__(self, index: int) -> None:
        self._index = index

    def __call__(self, mix: Tensor, stems: Tensor) -> Tensor:
        """Take aligned mix [C, n] and stems [S, C, n]; return stems [S, C, n]."""
        consistent = stems.clone()
        consistent[self._index] += mix - stems.sum(0)
        return consistent

    def reset(self) -> None:
        """Nothing is remembered."""


class SharedByEnergy:
    """Shares the residual in proportion to each stem's recent energy.

    Args:
        stems: S.
        sample_rate: samples per second.
        memory_s: time constant of the energy's one-pole smoothing, seconds.
    """

    def __init__(self, stems: int, sample_rate: int, memory_s: float = 0.05) -> None:
        # It takes longer to import than a small network to load, and few streams need it.
        from scipy.signal import lfilter

        self._filter = lfilter
        self._stems = stems
        self._pole = math.exp(-1.0 / (memory_s * sample_rate))
        self.reset()

    def reset(self) -> None:
        """Forget the energies."""
        self._state = np.zeros((self._stems, 1))

    def __call__(self, mix: Tensor, stems: Tensor) -> Tensor:
        """Take aligned mix [C, n] and stems [S, C, n]; return stems [S, C, n]."""
        if stems.shape[-1] == 0:
            return stems
        energy = stems.double().square().sum(1).numpy()
        smooth, self._state = self._filter(
            [1.0 - self._pole], [1.0, -self._pole], energy, zi=self._state
        )
        # The floor shares equally in silence; at −200 dBFS it changes nothing elsewhere.
        share = torch.from_numpy(smooth) + 1e-20
        share = (share / share.sum(0)).float()
        return stems + share[:, None] * (mix - stems.sum(0))


def make_consistency(
    name: ConsistencyName, sources: tuple[str, ...], sample_rate: int
) -> Consistency | None:
    """The consistency of a name, None for ``off``.

    Raises:
        ConfigError: the name is unknown, or ``other`` was asked of stems without an ``other``.
    """
    if name == "off":
        return None
    if name == "energy":
        return SharedByEnergy(len(sources), sample_rate)
    if name == "other":
        if "other" not in sources:
            raise ConfigError(
                f"consistency 'other' needs a stem 'other', this model gives {', '.join(sources)}; "
                "use 'energy' or 'off'"
            )
        return ResidualIntoOther(sources.index("other"))
    raise ConfigError(
        f"unknown consistency {name!r}, expected one of {', '.join(CONSISTENCY_NAMES)}"
    )
