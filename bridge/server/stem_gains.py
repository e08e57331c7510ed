"""Gains of a session's stems, changed without a click."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

__all__ = ["StemGains"]

_RAMP_S = 0.02


class StemGains:
    """One gain per stem; as a factor it moves by 1 in 20 ms, so that 12 dB more take 60 ms.

    Args:
        stems: their names.
        sample_rate: samples per second.
    """

    def __init__(self, stems: Sequence[str], sample_rate: int) -> None:
        self._stems = tuple(stems)
        self._step = 1 / (_RAMP_S * sample_rate)
        self._wanted = torch.ones(len(stems))
        self._level = self._wanted.clone()

    def change(self, gains_db: Mapping[str, float]) -> None:
        """Set some of the gains; -inf is silence.

        Raises:
            KeyError: there is no such stem.
        """
        wanted = self._wanted.clone()
        for name, gain_db in gains_db.items():
            if name not in self._stems:
                raise KeyError(name)
            wanted[self._stems.index(name)] = 10 ** (gain_db / 20)
        # One assignment: the thread that applies them sees the old gains or the new ones.
        self._wanted = wanted

    def describe(self) -> dict[str, float]:
        """The gains that were set, in dB; silence is the lowest number that JSON can take."""
        return {
            name: round(20 * math.log10(gain), 2) if gain > 0 else -1000.0
            for name, gain in zip(self._stems, self._wanted.tolist(), strict=True)
        }

    def apply(self, stems: Tensor) -> Tensor:
        """Scale stems [S, C, T], ramping from the last gains to the new ones."""
        wanted = self._wanted
        if torch.equal(self._level, wanted):
            return stems if bool((wanted == 1).all()) else stems * wanted[:, None, None]
        steps = self._step * torch.arange(1, stems.shape[-1] + 1)
        distance = (wanted - self._level)[:, None]
        ramp = self._level[:, None] + distance.sign() * torch.minimum(steps, distance.abs())
        self._level = ramp[:, -1].clone() if ramp.shape[-1] else self._level
        return stems * ramp[:, None]
