"""What narrows the gap between synthetic and real music: how a sound is coloured on its way."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from numpy.random import Generator
    from torch import Tensor

__all__ = ["Drive", "Lowpass", "Tilt"]


@dataclass(frozen=True, slots=True)
class Tilt:
    """Raise one end of the spectrum and lower the other, about 866 Hz, from 50 Hz to 15 kHz.

    Attributes:
        amount_db: most that either end is moved by.
        sample_rate: samples per second.
    """

    amount_db: float
    sample_rate: int

    def __call__(self, stem: Tensor, rng: Generator) -> Tensor:
        """Change one stem [C, T]."""
        spectrum = torch.fft.rfft(stem)
        frequency = torch.linspace(0, self.sample_rate / 2, spectrum.shape[-1])
        octaves = torch.log2(frequency.clamp(50.0, 15_000.0) / 866.0) / 4.11
        gain_db = float(rng.uniform(-self.amount_db, self.amount_db)) * octaves
        filtered: Tensor = torch.fft.irfft(spectrum * 10 ** (gain_db / 20), n=stem.shape[-1])
        return filtered


@dataclass(frozen=True, slots=True)
class Drive:
    """Saturate as an overdriven amplifier does, at the level that it had."""

    def __call__(self, stem: Tensor, rng: Generator) -> Tensor:
        """Change one stem [C, T]."""
        level = stem.abs().max().clamp(min=1e-6)
        amount = float(rng.uniform(1.0, 6.0))
        saturated: Tensor = torch.tanh(stem / level * amount) / math.tanh(amount) * level
        return saturated


@dataclass(frozen=True, slots=True)
class Lowpass:
    """Cut everything above one frequency of 11 to 19 kHz, as lossy encoders do.

    Attributes:
        sample_rate: samples per second.
    """

    sample_rate: int

    def __call__(self, stems: Tensor, rng: Generator) -> Tensor:
        """Change all stems [S, C, T] alike."""
        spectrum = torch.fft.rfft(stems)
        cutoff = float(rng.uniform(11_000.0, 19_000.0))
        spectrum[..., int(cutoff / (self.sample_rate / 2) * spectrum.shape[-1]) :] = 0
        filtered: Tensor = torch.fft.irfft(spectrum, n=stems.shape[-1])
        return filtered
