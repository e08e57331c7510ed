"""Turns blocks of any length into the segments of a tiling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamsep.engine.tiling import Tiling

__all__ = ["Segmenter"]


@dataclass(slots=True)
class _State:
    """The segment being filled.

    Attributes:
        buffer: [G, C, segment]; what is not filled holds stale samples.
        filled: samples of the buffer that are valid.
        received: samples pushed since the start of the stream.
        emitted: segments handed out since the start of the stream.
    """

    buffer: Tensor
    filled: int
    received: int = 0
    emitted: int = 0


class Segmenter:
    """Cuts a stream [G, C, T] (G independent signals of C channels) into overlapping segments.

    Args:
        tiling: where segments lie.
        groups: G.
        channels: C.
    """

    def __init__(self, tiling: Tiling, groups: int, channels: int) -> None:
        self._tiling = tiling
        self._shape = (groups, channels, tiling.segment)
        self.reset()

    @property
    def received(self) -> int:
        """Samples pushed since the start of the stream."""
        return self._state.received

    @property
    def wanted(self) -> int:
        """Samples to push until a segment is complete, at least 1."""
        return self._tiling.segment - self._state.filled

    def reset(self) -> None:
        """Forget the stream; the next block is the start of another."""
        self._state = _State(buffer=torch.zeros(self._shape), filled=self._tiling.context)

    def push(self, block: Tensor) -> Iterator[Tensor]:
        """Take in a block [G, C, t], t from 0; yield each segment [G, C, segment] it completes.

        A segment is a copy: it may be kept.
        """
        state = self._state
        position = 0
        while position < block.shape[-1]:
            taken = min(block.shape[-1] - position, self._tiling.segment - state.filled)
            piece = block[..., position : position + taken]
            state.buffer[..., state.filled : state.filled + taken] = piece
            state.filled += taken
            state.received += taken
            position += taken
            if state.filled == self._tiling.segment:
                yield self._emit()

    def flush(self) -> Iterator[Tensor]:
        """Yield the segments that the end of the stream still needs. The stream is then over.

        They are completed with zeros or cut short, as the tiling says.
        """
        state, tiling = self._state, self._tiling
        while state.emitted * tiling.hop < state.received:
            if tiling.pad_tail:
                state.buffer[..., state.filled :] = 0.0
            yield self._emit()

    def _emit(self) -> Tensor:
        """Hand out the segment and make room for the next hop."""
        state, tiling = self._state, self._tiling
        length = tiling.segment if tiling.pad_tail else state.filled
        segment = state.buffer[..., :length].clone()
        kept = max(0, state.filled - tiling.hop)
        state.buffer[..., :kept] = segment[..., tiling.hop : tiling.hop + kept]
        state.filled = kept
        state.emitted += 1
        return segment
