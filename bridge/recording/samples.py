"""Samples as 24-bit files take them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["as_24_bits"]

_FULL_SCALE = np.float32(2**23)


def as_24_bits(frames: NDArray[np.float32]) -> NDArray[np.int32]:
    """Float samples, rounded to the nearest of 2^24 steps and clamped, at the top of 32 bits."""
    bounded = np.clip(frames, -1.0, 1.0)
    # Exact in float32: a power of two, and the largest result has 24 bits.
    steps = np.minimum(np.rint(bounded * _FULL_SCALE), _FULL_SCALE - 1)
    return steps.astype(np.int32) << 8
