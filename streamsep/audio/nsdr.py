"""The figure of the Music Demixing Challenge: how far an estimate's error lies below its stem."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from streamsep.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["nsdr_db", "nsdr_of_energies_db"]

DELTA = 1e-7
"""Keeps silence from dividing by zero."""


def nsdr_db(reference: Tensor, estimate: Tensor) -> float:
    """The signal-to-distortion ratio of one stem over a whole song, in dB.

    10·log10((Σ s² + δ) / (Σ (s − ŝ)² + δ)) over all channels and samples. Silence scores 0 dB, and
    the mixture scores below 0 for every stem that is softer than the rest.

    Args:
        reference: the stem, [C, T].
        estimate: its estimate, [C, T].

    Raises:
        InputError: the shapes differ.

    Source: Mitsufuji et al., "Music Demixing Challenge 2021", section 3.2.
    """
    if reference.shape != estimate.shape:
        raise InputError(
            f"the reference has the shape {tuple(reference.shape)} and the estimate "
            f"{tuple(estimate.shape)}, expected the same; cut or pad them to one length"
        )
    signal = float(reference.double().square().sum())
    error = float((reference.double() - estimate.double()).square().sum())
    return nsdr_of_energies_db(signal, error)


def nsdr_of_energies_db(signal: float, error: float) -> float:
    """The same of sums that were gathered on the way.

    Args:
        signal: Σ s² of the stem, over all channels and samples.
        error: Σ (s − ŝ)² of its estimate.
    """
    return 10 * math.log10((signal + DELTA) / (error + DELTA))
