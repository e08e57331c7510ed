r"""From segments of any length to the lengths that a program takes, and back.

Programs are choosier than networks: one takes every multiple of its stride, another a single length
and nothing else. What is too short is completed with zeros at its end, and the estimate cut again.
What is too long for a program of one length is separated in pieces that start on the grid of the
stride, overlap by a quarter at least, and count most in their middles, where the program sees a
neighbourhood on both sides::

    mix        |-----------------------------------|0000|
    pieces     |---- fixed ----|
                         |---- fixed ----|
                                   |---- fixed ----|
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SegmentLengths"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentLengths:
    """Which lengths a program takes, in samples.

    Attributes:
        stride: every multiple of it from the minimum, unless there is one fixed length.
        minimum: the shortest segment.
        fixed: the only length, at least the stride; None if there are others.
    """

    stride: int
    minimum: int = 1
    fixed: int | None = None

    @property
    def shortest(self) -> int:
        """The shortest length that the program takes."""
        return self.fixed or self._whole(self.minimum)

    def apply(self, program: Callable[[Tensor], Tensor], mix: Tensor) -> Tensor:
        """Run a program on a segment of any length.

        Args:
            program: maps [B, C, L] to [B, S, C, L] for the lengths L that it takes.
            mix: [B, C, T], T from 1.

        Returns:
            [B, S, C, T].
        """
        length = mix.shape[-1]
        if self.fixed is not None and length > self.fixed:
            return self._in_pieces(program, mix, self.fixed)
        return program(_completed(mix, self.fixed or self._whole(length)))[..., :length]

    def _whole(self, length: int) -> int:
        """The shortest length from `length` that is a multiple of the stride."""
        return -(-max(length, self.minimum) // self.stride) * self.stride

    def _in_pieces(self, program: Callable[[Tensor], Tensor], mix: Tensor, fixed: int) -> Tensor:
        length = mix.shape[-1]
        hop = max(self.stride, 3 * fixed // 4 // self.stride * self.stride)
        weight = torch.arange(1, fixed + 1, device=mix.device, dtype=mix.dtype)
        weight = torch.minimum(weight, weight.flip(0))
        # The fewest pieces that reach the end: the last of them starts where they still do not.
        starts = range(0, length - fixed + hop, hop)
        total = mix.new_zeros(starts[-1] + fixed)
        stems: Tensor | None = None
        for start in starts:
            place = slice(start, start + fixed)
            estimate = weight * program(_completed(mix[..., place], fixed))
            if stems is None:
                stems = estimate.new_zeros(*estimate.shape[:-1], len(total))
            stems[..., place] += estimate
            total[place] += weight
        assert stems is not None, "there is always a first piece"
        return (stems / total)[..., :length]


def _completed(mix: Tensor, length: int) -> Tensor:
    """The mix [..., T] with zeros at its end, `length` samples long."""
    return nn.functional.pad(mix, (0, length - mix.shape[-1]))
