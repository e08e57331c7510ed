"""The outer layers of both encoders over a window that moves: most of it is kept.

A layer looks along time by its strided convolution (time branch only) and by its residual branches,
a few steps to each side. So when the window has moved, a step is the same as before unless it lies
so near to the end that its right neighbours were padding then, and are sound now. Some steps are
computed from a piece of the input that is longer by as much as the layer looks to each side; what
the piece's ends spoil is thrown away::

    input    |known . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . new|
    piece                            |- - lead - -|------------ renewed ------------|
    output   |kept  . . . . . . . . . . . . . . . |·································|

The norms inside the branches are over the whole window; their statistics are kept step by step.
What is kept was normalised with older statistics. That, and the left end, where a window that is
computed at once sees padding instead of what has been, is all in which this differs.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from streamsep.models.incremental.window import Window, WindowStatistics

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamsep.models.hybrid_layers import EncoderLayer
    from streamsep.models.residual import ResidualBranches

__all__ = ["MovingLayer"]


class MovingLayer:
    """An encoder layer whose output is a `Window`.

    Args:
        layer: the layer, shared with the network.
        length: steps of the window, in the layer's output.
        per_frame: steps of the output in a frame of the spectrogram.
        stale: steps at the end of the input that are computed anew whenever the window moves.
        convolve_only: stop after the strided convolution, as bare layers do anyway.
        offset: what is added to the output.
    """

    def __init__(
        self,
        layer: EncoderLayer,
        length: int,
        per_frame: int,
        stale: int,
        *,
        convolve_only: bool = False,
        offset: Tensor | None = None,
    ) -> None:
        shape = layer.shape
        self._layer = layer
        self._offset = offset
        self._finishes = not (convolve_only or layer.bare)
        self._per_frame = per_frame
        self._shrinks = 1 if shape.along_frequency else shape.stride
        # The strided convolution: by how many steps of the output it looks past either end.
        ahead = 0 if shape.along_frequency else shape.kernel - shape.padding - 1
        self._cut = 0 if shape.along_frequency else -(-shape.padding // shape.stride)
        branches = layer.dconv if self._finishes else None
        self._branches = None if branches is None else _MovingBranches(branches, length)
        reach = 0 if self._branches is None else self._branches.reach
        self.stale = (stale + ahead) // self._shrinks + reach
        self._lead = self._cut + reach
        self.output = Window(length)

    def begin_as(self, other: MovingLayer, batch: int) -> None:
        """Hold what the same layer of another stream holds, for every signal of a batch."""
        self.output.begin_as(other.output, batch)
        if self._branches is not None and other._branches is not None:
            self._branches.begin_as(other._branches, batch)

    def advance(
        self, window: Tensor, moved: int, swept: slice, inject: Tensor | None = None
    ) -> None:
        """Move the output, and compute of it what has changed.

        Args:
            window: the input's window, [B, C, F, T] or [B, C, T], already moved.
            moved: by how many frames of the spectrogram; all of them at first.
            swept: frames to compute as well.
            inject: what the time branch adds, [B, C, T], the window of it.
        """
        length, steps = self.output.length, self._per_frame
        self.output.move(moved * steps)
        if self._branches is not None:
            self._branches.move(moved * steps)
        changed = max(0, length - moved * steps - self.stale)
        self._renew(window, changed, length, inject)
        if changed:
            self._renew(window, swept.start * steps, min(changed, swept.stop * steps), inject)

    def _renew(self, window: Tensor, first: int, last: int, inject: Tensor | None) -> None:
        """Compute some steps of the output."""
        if first >= last:
            return
        length = self.output.length
        start, stop = max(0, first - self._lead), min(length, last + self._lead)
        y = self._layer.convolve(
            window[..., start * self._shrinks : stop * self._shrinks],
            None if inject is None else inject[..., start:stop],
        )
        if self._finishes:
            branches = None
            if self._branches is not None:
                foreign = (self._cut if start else 0, self._cut if stop < length else 0)
                branches = partial(self._branches.run, start=start, foreign=foreign)
            y = self._layer.finish(y, branches)
        y = y[..., first - start : last - start]
        self.output.write(first, y if self._offset is None else y + self._offset)


class _MovingBranches:
    """Residual branches over a part of a window, with norms over all of it."""

    def __init__(self, branches: ResidualBranches, length: int) -> None:
        self._length = length
        self._branches = list(_parts(branches))
        self._statistics = [
            (WindowStatistics(length), WindowStatistics(length)) for _ in self._branches
        ]
        self.reach = sum(squeeze.dilation[0] for squeeze, *_ in self._branches)

    def begin_as(self, other: _MovingBranches, batch: int) -> None:
        """Hold what the same branches of another stream hold."""
        for own, others in zip(self._statistics, other._statistics, strict=True):
            for statistics, of_other in zip(own, others, strict=True):
                statistics.begin_as(of_other, batch)

    def move(self, steps: int) -> None:
        """Let the oldest steps go."""
        for statistics in self._statistics:
            for each in statistics:
                each.move(steps)

    def run(self, x: Tensor, *, start: int, foreign: tuple[int, int]) -> Tensor:
        """Map a part of the window, x [B, C, n], to the same shape.

        Args:
            x: the part.
            start: the step of the window at which it begins.
            foreign: steps at its ends that are not as in the window.
        """
        left, right = foreign
        for parts, statistics in zip(self._branches, self._statistics, strict=True):
            squeeze, squeeze_norm, widen, widen_norm, scale = parts
            left += squeeze.dilation[0] if start else 0
            right += squeeze.dilation[0] if start + x.shape[-1] < self._length else 0
            own = slice(left, x.shape[-1] - right)
            y = squeeze(x)
            y = F.gelu(_normalised(squeeze_norm, y, statistics[0], start, own))
            y = widen(y)
            y = F.glu(_normalised(widen_norm, y, statistics[1], start, own), dim=1)
            x = x + scale(y)
        return x


def _parts(
    branches: ResidualBranches,
) -> Iterable[tuple[nn.Conv1d, nn.GroupNorm, nn.Conv1d, nn.GroupNorm, nn.Module]]:
    """What every branch is made of; see `residual.py`."""
    for branch in branches.layers:
        assert isinstance(branch, nn.Sequential)
        squeeze, squeeze_norm, _, widen, widen_norm, _, scale = branch
        assert isinstance(squeeze, nn.Conv1d)
        assert isinstance(widen, nn.Conv1d)
        assert isinstance(squeeze_norm, nn.GroupNorm)
        assert isinstance(widen_norm, nn.GroupNorm)
        yield squeeze, squeeze_norm, widen, widen_norm, scale


def _normalised(
    norm: nn.GroupNorm, y: Tensor, statistics: WindowStatistics, start: int, own: slice
) -> Tensor:
    """Normalise y [B, C, n], which begins at a step of the window, by the whole window.

    Of y only `own` is as in the window and counts.
    """
    statistics.write(start + own.start, y[..., own])
    mean, variance = statistics.moments()
    scale = norm.weight * (variance[:, None] + norm.eps).rsqrt()
    return torch.addcmul((norm.bias - mean[:, None] * scale)[..., None], y, scale[..., None])
