"""The input once more, as late as its stems."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

__all__ = ["DelayLine"]


class DelayLine:
    """Gives back every block's length, late by a constant; before that, silence.

    Args:
        channels: C.
        latency: samples, from 0.
        longest_block: of `exchange`.
    """

    def __init__(self, channels: int, latency: int, longest_block: int) -> None:
        self._size = latency + longest_block
        # Filled, for the pages of `np.zeros` would be fetched while the first round is played.
        self._ring = np.full((channels, self._size), 0.0, np.float32)
        self._latency = latency
        self._position = 0

    def exchange(self, block: Samples, out: Samples) -> None:
        """Take in a block and give back what is due.

        Real-time: copies, nothing else.

        Args:
            block: float32 [C, t], t up to the longest block.
            out: float32 [C, t], to be filled.
        """
        length = block.shape[-1]
        write = self._position % self._size
        self._copy_in(block, write, length)
        self._copy_out(out, (self._position - self._latency) % self._size, length)
        self._position += length

    def _copy_in(self, block: Samples, begin: int, length: int) -> None:
        head = min(length, self._size - begin)
        self._ring[:, begin : begin + head] = block[:, :head]
        self._ring[:, : length - head] = block[:, head:]

    def _copy_out(self, out: Samples, begin: int, length: int) -> None:
        head = min(length, self._size - begin)
        out[:, :head] = self._ring[:, begin : begin + head]
        out[:, head:] = self._ring[:, : length - head]
