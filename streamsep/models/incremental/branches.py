r"""Residual branches over a part of a window, with norms over all of it.

The second norm of a branch follows upon the first, and what comes between exaggerates: a change of
a hundredth in the first one's statistics was seen to become a twentieth in the second one's. So the
second's must not be put together from what the kept steps had under older statistics of the first.
What is kept is therefore h, a step's values between the convolutions, before the first norm: a
quarter of the layer's channels. With every move all of it is normalised again, and the second
norm's statistics follow from it without widening the kept steps (see `tuned/branches.py`)::

    x ─ conv3 ── h ── norm ─ GELU ─┬───────────── conv1 ─ norm ─ GLU ─ gain ─(+ x)─
          │      │      │          │                │      │
        parts   kept   of the    parts            parts  of the
                       window                            window
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from streamsep.models.incremental.window import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from streamsep.models.tuned.branches import TunedBranch, TunedBranches

__all__ = ["MovingBranches", "Part"]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a window.

    Attributes:
        span: its steps in the window.
        own: those of them that are as in the window.
    """

    span: slice
    own: slice

    def without(self, reach: int, length: int) -> Part:
        """The same after a convolution over the part that looks `reach` steps to each side."""
        start = self.own.start + reach if self.span.start else 0
        stop = self.own.stop - reach if self.span.stop < length else length
        return Part(self.span, slice(start, stop))

    @property
    def steps(self) -> int:
        """How many."""
        return int(self.span.stop - self.span.start)

    def own_of(self, values: Tensor) -> Tensor:
        """The own steps of what has been computed for the part, [..., n]."""
        return values[..., self.own.start - self.span.start : self.own.stop - self.span.start]


class MovingBranches:
    """The residual branches of a layer, which look along a window that moves.

    Args:
        branches: shared with the network.
        length: steps of the window.
    """

    def __init__(self, branches: TunedBranches, length: int) -> None:
        self._length = length
        self._branches = [_MovingBranch(each, length) for each in branches.branches]
        self.reach = sum(branch.reach for branch in self._branches)

    def begin_as(self, other: MovingBranches, batch: int) -> None:
        """Hold what the same branches of another stream hold."""
        for own, of_other in zip(self._branches, other._branches, strict=True):
            own.begin_as(of_other, batch)

    def move(self, steps: int) -> None:
        """Let the oldest steps go."""
        for branch in self._branches:
            branch.move(steps)

    def run(self, x: Tensor, parts: Sequence[Part]) -> Tensor:
        """Add the branches to some parts of the window, rows x [R, C, 1, n] one after the other.

        All that is not kept since the last move must be among them.
        """
        for branch in self._branches:
            parts = [part.without(branch.reach, self._length) for part in parts]
            branch.run(x, parts)
        return x


class _MovingBranch:
    """One of them."""

    def __init__(self, branch: TunedBranch, length: int) -> None:
        self._branch = branch
        self.reach = branch.reach
        self._squeezed = Window(length)

    def begin_as(self, other: _MovingBranch, batch: int) -> None:
        """Hold what the same branch of another stream holds."""
        self._squeezed.begin_as(other._squeezed, batch)

    def move(self, steps: int) -> None:
        """Let the oldest steps go."""
        self._squeezed.move(steps)

    def run(self, x: Tensor, parts: Sequence[Part]) -> Tensor:
        """Add the branch to some parts of the window; see `MovingBranches.run`.

        Where parts meet, the convolution looks from one into the other: at steps that are not
        their own.
        """
        squeezed = self._branch.squeeze(x)
        pieces = torch.split(squeezed, [part.steps for part in parts], -1)
        for part, piece in zip(parts, pieces, strict=True):
            self._squeezed.write(part.own.start, part.own_of(piece))
        window = self._branch.between(self._squeezed.steps)
        h = window
        if len(parts) > 1:
            h = torch.cat([window[:, part.span] for part in parts], dim=1)
        return self._branch.widen(h, x, among=window)
