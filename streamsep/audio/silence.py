"""When a stem counts as silent: the one rule for whoever judges estimates.

Second by second a stem is compared with the level that the song's mixture has as a whole. The
song's own level decides for every second: in a pause all stems are silent, and the noise floor of
one is no sound for being as loud as that of the others.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["loudness_floor", "sounding_stems"]

SILENT = 1e-6
"""What lies this far, 60 dB, below the song's mixture as a whole is silent."""


def loudness_floor(mixture: Tensor, samples: Tensor) -> Tensor:
    """The energies up to which a sound counts as silent, window by window.

    Args:
        mixture: energy of the song's mixture in each window, summed over channels, [W].
        samples: samples in each window, [W]; the last one may be shorter.

    Returns:
        [W], in the mixture's type.
    """
    return SILENT * mixture.sum() / samples.sum() * samples


def sounding_stems(stems: Tensor, mixture: Tensor, *, window: int) -> Tensor:
    """Which stems of a song sound in any of its windows.

    Args:
        stems: the stems [S, C, T], at least one sample of them.
        mixture: the song's mixture [C, T].
        window: samples over which a stem is or is not silent: a second.

    Returns:
        Booleans [S].
    """
    energies = _energies(stems, window)
    samples = torch.tensor([part.shape[-1] for part in torch.split(mixture, window, dim=-1)])
    floor = loudness_floor(_energies(mixture, window), samples.to(mixture.device))
    return (energies > floor[:, None]).any(0)


def _energies(sounds: Tensor, window: int) -> Tensor:
    """The energy of sounds [..., C, T] in every window, float64 [W, ...]."""
    parts = torch.split(sounds, window, dim=-1)
    return torch.stack([part.double().square().sum((-2, -1)) for part in parts])
