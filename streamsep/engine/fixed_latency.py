"""A separator that answers every block with as many samples: what a live loop needs.

`StreamingSeparator` hands out stems in bursts, whenever a segment is done. A sound card asks for as
many samples as it delivers, always. So the stems wait in a queue that starts with `latency` zeros:
the queue then never runs dry, and every sample comes out exactly `latency` samples late.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from streamsep.engine.fifo import SampleFifo

if TYPE_CHECKING:
    from streamsep.engine.streaming_separator import StreamingSeparator

__all__ = ["FixedLatencySeparator"]


class FixedLatencySeparator:
    """Gives back every block's length, delayed by a constant.

    Args:
        separator: the stream to delay. It belongs to this object from now on.
    """

    def __init__(self, separator: StreamingSeparator) -> None:
        self._separator = separator
        self._queue = SampleFifo()
        self.reset()

    @property
    def latency(self) -> int:
        """Samples between an input sample and the output sample that depends on it."""
        return self._separator.latency

    def reset(self) -> None:
        """Drop the stream; be as new."""
        separator = self._separator
        separator.reset()
        self._queue.clear()
        self._queue.push(torch.zeros(len(separator.sources), separator.channels, separator.latency))

    def push(self, block: Tensor) -> Tensor:
        """Take in a block [C, t]; return stems [S, C, t], late by `latency`."""
        self._queue.push(self._separator.push(block))
        return self._queue.pop(block.shape[-1])

    def flush(self) -> Tensor:
        """Return the `latency` samples [S, C, latency] that are still inside; be as new."""
        self._queue.push(self._separator.flush())
        rest = self._queue.pop(len(self._queue))
        self.reset()
        return rest
