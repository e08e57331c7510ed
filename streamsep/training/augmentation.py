"""Changes to training examples that widen what the network hears.

The published ones (channel swap, sign flip, scale, repitch; the remix is in the dataset) and four
that narrow the gap between synthetic and real music: mono stems, a tilted spectrum, saturation, and
the missing treble of lossy files. Every change is a small function of the stems [S, C, T] and a
random generator; each stem draws for itself unless said otherwise.

Source: "Hybrid Spectrogram and Waveform Source Separation", section "Training", and the settings
published with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from numpy.random import Generator
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from streamsep.config.training import AugmentationConfig

__all__ = [
    "Augmentation",
    "Change",
    "drive",
    "drop_stem",
    "flip_sign",
    "lowpass_all",
    "make_mono",
    "repitch",
    "scale",
    "swap_channels",
    "tilt",
]

Change = Callable[[Tensor, Generator], Tensor]
"""Maps one stem [C, T] to another of the same shape."""


def swap_channels(stem: Tensor, rng: Generator) -> Tensor:
    """Left becomes right."""
    return stem.flip(0)


def flip_sign(stem: Tensor, rng: Generator) -> Tensor:
    """The waveform upside down."""
    return -stem


def make_mono(stem: Tensor, rng: Generator) -> Tensor:
    """The same sound in every channel, as bass, kick and voice often are."""
    return stem.mean(0, keepdim=True).expand_as(stem)


def drop_stem(stem: Tensor, rng: Generator) -> Tensor:
    """Silence: the network must learn that a stem may be absent."""
    return torch.zeros_like(stem)


def repitch(amount: float) -> Change:
    """Play faster or slower by up to `amount` (0.1: 10 %), which moves pitch and formants too."""

    def change(stem: Tensor, rng: Generator) -> Tensor:
        length = stem.shape[-1]
        speed = float(rng.uniform(1 - amount, 1 + amount))
        # Only a faster take runs out of samples: it starts again from the beginning.
        taken = min(length, int(length * min(1.0, speed)))
        resized = F.interpolate(
            stem[None, :, :taken], scale_factor=1 / speed, mode="linear", align_corners=False
        )[0]
        repeats = -(-length // resized.shape[-1])
        return resized.repeat(1, repeats)[:, :length]

    return change


def tilt(amount_db: float, sample_rate: int) -> Change:
    """Raise or lower the spectrum by up to `amount_db` towards both ends of 50 Hz to 15 kHz."""

    def change(stem: Tensor, rng: Generator) -> Tensor:
        spectrum = torch.fft.rfft(stem)
        frequency = torch.linspace(0, sample_rate / 2, spectrum.shape[-1])
        octaves = torch.log2(frequency.clamp(50.0, 15_000.0) / 866.0) / 4.11
        gain_db = float(rng.uniform(-amount_db, amount_db)) * octaves
        filtered: Tensor = torch.fft.irfft(spectrum * 10 ** (gain_db / 20), n=stem.shape[-1])
        return filtered

    return change


def drive(stem: Tensor, rng: Generator) -> Tensor:
    """Saturate as an overdriven amplifier does, at the level it had."""
    level = stem.abs().max().clamp(min=1e-6)
    amount = float(rng.uniform(1.0, 6.0))
    saturated: Tensor = torch.tanh(stem / level * amount) / math.tanh(amount) * level
    return saturated


def scale(gain_db: tuple[float, float]) -> Change:
    """Make louder or softer by a gain drawn from the given range."""

    def change(stem: Tensor, rng: Generator) -> Tensor:
        return stem * float(10 ** (rng.uniform(*gain_db) / 20))

    return change


def lowpass_all(stems: Tensor, rng: Generator, sample_rate: int) -> Tensor:
    """Cut all stems [S, C, T] at one frequency of 11 to 19 kHz, as lossy encoders do."""
    spectrum = torch.fft.rfft(stems)
    cutoff = float(rng.uniform(11_000.0, 19_000.0))
    spectrum[..., int(cutoff / (sample_rate / 2) * spectrum.shape[-1]) :] = 0
    filtered: Tensor = torch.fft.irfft(spectrum, n=stems.shape[-1])
    return filtered


@dataclass(frozen=True, slots=True)
class Augmentation:
    """All changes with their probabilities.

    Attributes:
        per_stem: a probability and a change, in order, drawn for every stem by itself.
        lowpass: probability of `lowpass_all`.
        sample_rate: samples per second.
    """

    per_stem: Sequence[tuple[float, Change]]
    lowpass: float
    sample_rate: int

    @classmethod
    def from_config(cls, config: AugmentationConfig, sample_rate: int) -> Augmentation:
        """The changes a configuration asks for."""
        per_stem = (
            (config.repitch, repitch(config.repitch_range)),
            (config.drive, drive),
            (config.tilt, tilt(config.tilt_db, sample_rate)),
            (config.mono, make_mono),
            (config.swap_channels, swap_channels),
            (config.flip_sign, flip_sign),
            (1.0, scale(config.gain_db)),
            (config.stem_dropout, drop_stem),
        )
        return cls(per_stem, config.lowpass, sample_rate)

    def __call__(self, stems: Tensor, rng: Generator) -> Tensor:
        """Change stems [S, C, T]."""
        changed = []
        for stem in stems:
            for probability, change in self.per_stem:
                if rng.random() < probability:
                    stem = change(stem, rng)
            changed.append(stem)
        result = torch.stack(changed)
        if rng.random() < self.lowpass:
            result = lowpass_all(result, rng, self.sample_rate)
        return result
