"""Memory through which batches of many shapes pass, allocated once.

Pinned memory is slow to get and taken from everybody else, so there is no piece of it for every
shape. A buffer is the beginning of one stretch that is as long as the longest that was needed::

    stretch     ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇
    8 segments  [ 8 · C · T                    ]
    2 segments  [      ]
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

__all__ = ["Staging"]


class Staging:
    """A stretch of float32 memory on the processor and one as long on a device.

    Args:
        device: where the other one lies.
        pinned: the device shall copy by itself to and from the processor's, which must be possible.
    """

    def __init__(self, device: torch.device, *, pinned: bool) -> None:
        self._device = device
        self._pinned = pinned
        self._here = torch.empty(0)
        self._there = torch.empty(0, device=device)

    def buffers(self, shape: Sequence[int]) -> tuple[Tensor, Tensor]:
        """A buffer of a shape on the processor and one on the device, which hold anything.

        They share memory with all that were given before. More is allocated if need be, on the
        device's current stream.
        """
        size = math.prod(shape)
        if size > len(self._here):
            self._here = torch.empty(size, pin_memory=self._pinned)
            self._there = torch.empty(size, device=self._device)
            if self._device.type == "cuda":
                # What had this memory before may still be at work there, on a stream of its own.
                torch.cuda.synchronize(self._device)
        return self._here[:size].view(*shape), self._there[:size].view(*shape)
