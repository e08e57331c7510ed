"""Memory for what lives long in a forward, taken once and used again for every segment.

Most tensors of a network are gone after a few steps; the skips wait until the decoder meets them.
Where both come from the same heap, each skip ends up in a hole that a larger tensor has left, the
next large tensor does not fit any more, and the heap becomes twice as large as what is ever in
use. So the skips have a place of their own, and what passes leaves nothing behind.
"""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

__all__ = ["Workspace"]

_ALIGNMENT = 64
"""Bytes: every tensor begins with a line of the processor's cache."""


class Workspace(threading.local):
    """One thread's; every thread that computes has one.

    Args:
        dtype: of everything in it.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        self._memory = torch.empty(0, dtype=dtype)

    def take(self, shapes: Sequence[tuple[int, int, int, int]]) -> list[Tensor]:
        """Tensors [B, C, F, T] in channels_last, with anything in them.

        They begin where those of the call before began, which are overwritten.
        """
        line = _ALIGNMENT // self._memory.element_size()
        sizes = [math.prod(shape) for shape in shapes]
        starts = [0]
        for size in sizes:
            starts.append(starts[-1] + -(-size // line) * line)
        if len(self._memory) < starts[-1]:
            dtype = self._memory.dtype
            # The old one goes before the new one comes, unless its tensors are still in use.
            self._memory = torch.empty(0, dtype=dtype)
            self._memory = torch.empty(starts[-1], dtype=dtype)
        return [
            self._memory[start : start + size]
            .view(batch, bins, steps, channels)
            .permute(0, 3, 1, 2)
            for start, size, (batch, channels, bins, steps) in zip(
                starts, sizes, shapes, strict=False
            )
        ]
