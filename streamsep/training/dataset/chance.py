"""Random generators that depend on what they are for and on a few numbers, and on nothing else."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

__all__ = ["Purpose", "generator"]


class Purpose(IntEnum):
    """What a generator decides. No two purposes ever share a stream of random numbers."""

    EXAMPLE = 1
    EPOCH = 2
    SUBSTITUTE = 3
    BATCH = 4
    DROPOUT = 5
    SEGMENT = 6
    TILING = 7
    SVD = 8


def generator(purpose: Purpose, *numbers: int) -> np.random.Generator:
    """A new generator, the same for the same purpose and numbers, each 0 or above."""
    return np.random.default_rng([purpose, *numbers])
