r"""Residual branches over a part of a window, with norms over all of it.

The second norm of a branch follows upon the first, and what comes between exaggerates: a change of
a hundredth in the first one's statistics was seen to become a twentieth in the second one's. So the
second's must not be put together from what the kept steps had under older statistics of the first.
They are found anew with every move, without widening the kept steps again. Let h be a step's values
between the convolutions, W and b the second convolution's weights, centred over its outputs; then

    mean = w̄·h + b̄        Σ (differences from the mean)² = h·(WᵀW)h + 2 (Wᵀb)·h + |b|²

and WᵀW is as small as h, a quarter of the layer's channels::

    x ─ conv3 ─ norm ─ GELU ─ h ─ conv1 ─ norm ─ GLU ─ gain ─(+ x)─
          │      │            │            │
        kept   of the     of all kept    of the
               window       steps        window
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from streamsep.models.incremental.window import Window, WindowStatistics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamsep.models.residual import ResidualBranches

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

    def __init__(self, branches: ResidualBranches, length: int) -> None:
        self._length = length
        self._branches = [_MovingBranch(each, length) for each in branches.layers]
        self.reach = sum(branch.reach for branch in self._branches)

    def begin_as(self, other: MovingBranches, batch: int) -> None:
        """Hold what the same branches of another stream hold."""
        for own, of_other in zip(self._branches, other._branches, strict=True):
            own.begin_as(of_other, batch)

    def move(self, steps: int) -> None:
        """Let the oldest steps go."""
        for branch in self._branches:
            branch.move(steps)

    def run(self, x: Tensor, *, parts: Sequence[Part]) -> Tensor:
        """Map some parts of the window, x [B, C, n] one after the other, to the same shape.

        All that is not kept since the last move must be among them.
        """
        for branch in self._branches:
            parts = [part.without(branch.reach, self._length) for part in parts]
            x = branch.run(x, parts)
        return x


class _MovingBranch:
    """One of them."""

    def __init__(self, branch: nn.Module, length: int) -> None:
        assert isinstance(branch, nn.Sequential)
        squeeze, squeeze_norm, _, widen, widen_norm, _, scale = branch
        assert isinstance(squeeze, nn.Conv1d)
        assert isinstance(widen, nn.Conv1d)
        assert isinstance(squeeze_norm, nn.GroupNorm)
        assert isinstance(widen_norm, nn.GroupNorm)
        self._squeeze, self._squeeze_norm = squeeze, squeeze_norm
        self._widen, self._widen_norm, self._scale = widen, widen_norm, scale
        self.reach = squeeze.dilation[0]
        self._squeezed = Window(length)
        self._first = WindowStatistics(length)
        self._second = WindowStatistics(length)
        assert widen.bias is not None
        weight, bias = widen.weight.detach()[..., 0], widen.bias.detach()
        self._mean_weight, self._mean_bias = weight.mean(0), bias.mean()
        weight, bias = weight - self._mean_weight, bias - self._mean_bias
        self._products = weight.T @ weight
        self._with_bias, self._bias_squares = 2 * bias @ weight, bias.square().sum()

    def begin_as(self, other: _MovingBranch, batch: int) -> None:
        """Hold what the same branch of another stream holds."""
        self._squeezed.begin_as(other._squeezed, batch)
        self._first.begin_as(other._first, batch)
        self._second.begin_as(other._second, batch)

    def move(self, steps: int) -> None:
        """Let the oldest steps go."""
        self._squeezed.move(steps)
        self._first.move(steps)
        self._second.move(steps)

    def run(self, x: Tensor, parts: Sequence[Part]) -> Tensor:
        """Add the branch to some parts of the window; see `MovingBranches.run`."""
        lengths = [part.steps for part in parts]
        pieces = [self._squeeze(piece) for piece in torch.split(x, lengths, -1)]
        for part, piece in zip(parts, pieces, strict=True):
            self._squeezed.write(part.own.start, part.own_of(piece))
            self._first.write(part.own.start, part.own_of(piece))
        gain, offset = _norm_of(self._squeeze_norm, self._first)
        if len(parts) > 1:
            self._revise(F.gelu(torch.addcmul(offset, self._squeezed.steps, gain)))
        y = self._widen(F.gelu(torch.addcmul(offset, torch.cat(pieces, -1), gain)))
        for part, piece in zip(parts, y.split(lengths, -1), strict=True):
            self._second.write(part.own.start, part.own_of(piece))
        gain, offset = _norm_of(self._widen_norm, self._second)
        y = F.glu(torch.addcmul(offset, y, gain), dim=1)
        return torch.as_tensor(x + self._scale(y))

    def _revise(self, h: Tensor) -> None:
        """Find the second norm's statistics from h [B, C, N], all steps of the window."""
        means = self._mean_weight @ h + self._mean_bias
        products = self._products @ h + self._with_bias[:, None]
        squares = (h * products).sum(1) + self._bias_squares
        # A sum of squares, but for what rounding took.
        self._second.rewrite(means, squares.clamp(min=0))


def _norm_of(norm: nn.GroupNorm, statistics: WindowStatistics) -> tuple[Tensor, Tensor]:
    """What a norm over the window multiplies and adds, [B, C, 1] each."""
    mean, variance = statistics.moments()
    gain = norm.weight * (variance[:, None] + norm.eps).rsqrt()
    offset = norm.bias - mean[:, None] * gain
    return gain[..., None], offset[..., None]
