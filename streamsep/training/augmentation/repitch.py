"""Another tempo and another key, for the whole song."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from streamsep.audio.time_stretch import require_time_stretch, time_stretch

if TYPE_CHECKING:
    from numpy.random import Generator
    from torch import Tensor

__all__ = ["Repitch"]


@dataclass(frozen=True, slots=True)
class Repitch:
    """All stems change tempo and pitch alike, each of the two by a draw of its own.

    The change of pitch is a whole number of semitones, all equally likely. The change of tempo is
    normally distributed about 0 and cut off at a limit.

    Attributes:
        probability: of the change.
        semitones: most that the pitch moves.
        tempo: standard deviation of the tempo's change, as a share.
        tempo_limit: most that the tempo changes, as a share, below 1.
        sample_rate: samples per second.

    Raises:
        MissingToolError: the library that does it is not installed.

    Source: the settings published with "Hybrid Spectrogram and Waveform Source Separation":
    probability 0.2, 2 semitones, 5 %, 12 %.
    """

    probability: float
    semitones: int
    tempo: float
    tempo_limit: float
    sample_rate: int

    def __post_init__(self) -> None:
        require_time_stretch()

    def needs(self, length: int) -> int:
        """What the fastest tempo plays in that time."""
        given = math.ceil(length * (1.0 + self.tempo_limit))
        while self._kept(given) < length:  # the product was rounded down
            given += 1
        return given

    def __call__(self, stems: Tensor, rng: Generator) -> Tensor:
        """Change stems [S, C, T], and cut them to what is left of T at the fastest tempo."""
        length = self._kept(stems.shape[-1])
        if rng.random() >= self.probability:
            return stems[..., :length]
        semitones = int(rng.integers(-self.semitones, self.semitones + 1))
        change = min(max(rng.normal(0.0, self.tempo), -self.tempo_limit), self.tempo_limit)
        return torch.stack(
            [
                time_stretch(stem, self.sample_rate, tempo=1.0 + change, semitones=semitones)
                for stem in stems
            ]
        )[..., :length]

    def _kept(self, given: int) -> int:
        return int(given / (1.0 + self.tempo_limit))
