"""A queue of samples that grows and shrinks at will: for code that may allocate."""

from __future__ import annotations

from collections import deque

import torch
from torch import Tensor

__all__ = ["SampleFifo"]


class SampleFifo:
    """First in, first out, along the last axis of tensors [..., t] that agree in all others."""

    def __init__(self) -> None:
        self._blocks: deque[Tensor] = deque()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def clear(self) -> None:
        """Forget all samples."""
        self._blocks.clear()
        self._length = 0

    def push(self, block: Tensor) -> None:
        """Append [..., t], t from 0. The block must not change afterwards."""
        # One empty block stays, so that popping nothing still knows the other axes.
        if block.shape[-1] or not self._blocks:
            self._blocks.append(block)
            self._length += block.shape[-1]

    def pop(self, count: int) -> Tensor:
        """Take the oldest `count` samples, which must be there, as [..., count]."""
        assert count <= self._length, f"{count} samples asked of {self._length}"
        taken: list[Tensor] = []
        missing = count
        while missing or not taken:
            block = self._blocks.popleft()
            used = min(missing, block.shape[-1])
            taken.append(block[..., :used])
            missing -= used
            if used < block.shape[-1] or not self._blocks:
                self._blocks.appendleft(block[..., used:])
        self._length -= count
        return torch.cat(taken, dim=-1)
