"""Energies of a song's stems, errors and estimates, gathered second by second while it passes.

Two figures come of them. nSDR needs the sums over the whole song. The level of false estimates
needs to know where a stem is silent: there, anything that the estimate holds was taken from another
stem, and a listener who mutes all others hears it alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from streamsep.audio.nsdr import nsdr_of_energies_db
from streamsep.audio.silence import loudness_floor
from streamsep.engine.fifo import SampleFifo

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["LOWEST_DB", "EnergyMeter", "StemEnergies"]

LOWEST_DB = -120.0
"""The level of silence: below this everything is the same to any ear and any converter."""


class EnergyMeter:
    """Compares stems with their estimates, however both are cut into blocks.

    Args:
        sources: S, how many stems there are.
        window: samples over which a stem is or is not silent: a second.
    """

    def __init__(self, sources: int, *, window: int) -> None:
        self._sources = sources
        self._window = window
        self._waiting = SampleFifo()
        # Numbers, not tensors: small tensors that stay would fragment the memory of large ones.
        self._windows: list[list[float]] = []
        self._samples: list[int] = []

    def add(self, stems: Tensor, mixture: Tensor, estimates: Tensor) -> None:
        """Take in stems [S, C, t], the mixture [C, t] and the estimates [S, C, t] of one moment."""
        self._waiting.push(torch.cat([stems, mixture[None], estimates]))
        while len(self._waiting) >= self._window:
            self._measure(self._waiting.pop(self._window))

    def finish(self) -> list[StemEnergies]:
        """End the song, whose last window may be shorter; return what was gathered by stem."""
        if rest := len(self._waiting):
            self._measure(self._waiting.pop(rest))
        samples = torch.tensor(self._samples)
        energies = torch.tensor(self._windows, dtype=torch.float64)
        stems, error, estimates, mixture = torch.split(
            energies, [self._sources, self._sources, self._sources, 1], dim=1
        )
        floor = loudness_floor(mixture[:, 0], samples)[:, None]
        silent = stems <= floor
        alone = silent & (mixture > floor)
        return [
            StemEnergies(
                signal=float(stems[:, stem].sum()),
                error=float(error[:, stem].sum()),
                false=float(estimates[alone[:, stem], stem].sum()),
                heard=float(mixture[alone[:, stem], 0].sum()),
                silent_samples=int(samples[silent[:, stem]].sum()),
                samples=int(samples.sum()),
            )
            for stem in range(self._sources)
        ]

    def _measure(self, window: Tensor) -> None:
        window = window.double()
        stems, mixture, estimates = torch.split(window, [self._sources, 1, self._sources])
        sounds = torch.cat([stems, stems - estimates, estimates, mixture])
        self._windows.append(sounds.square().sum((1, 2)).tolist())
        self._samples.append(window.shape[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class StemEnergies:
    """Energies of one stem over a song, summed over channels and samples.

    Attributes:
        signal: of the stem.
        error: of the difference between stem and estimate.
        false: of the estimate in the windows where the stem is silent and the mixture is not.
        heard: of the mixture in those windows.
        silent_samples: how long the stem is silent.
        samples: how long the song is.
    """

    signal: float
    error: float
    false: float
    heard: float
    silent_samples: int
    samples: int

    @property
    def never_sounds(self) -> bool:
        """Whether the stem is silent throughout."""
        return self.silent_samples == self.samples

    @property
    def nsdr_db(self) -> float | None:
        """The nSDR over the song in dB; None where the stem never sounds."""
        if self.never_sounds:
            return None
        return nsdr_of_energies_db(self.signal, self.error)

    @property
    def false_db(self) -> float | None:
        """Level of the estimate over the mixture where the stem alone is silent, in dB.

        None where it never is.
        """
        if self.heard == 0:
            return None
        if self.false == 0:
            return LOWEST_DB
        return max(LOWEST_DB, 10 * math.log10(self.false / self.heard))
