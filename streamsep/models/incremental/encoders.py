"""The outer layers of both encoders over a window that moves: most of it is kept.

A layer looks along time by its strided convolution (time branch only) and by its residual branches,
a few steps to each side; beyond the window it sees zeros. So when the window has moved, a step is
the same as before unless it lies near to an end: at the right its neighbours were zeros and are
sound now, at the left they were sound and are zeros now. The steps at both ends are computed anew,
and some of those between, see below, each stretch from a piece of the input that is longer by as
much as the layer looks to each side; the pieces are computed as if they were one, and what their
ends spoil is thrown away::

    input    | . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . new|
    pieces   |--------- lead|          |lead ------- lead|            |lead ------------------|
    output   |·········|kept . . . . . . . . |·····|. . . . . . . . . . . . |·················|
              beginning                       sweep                                       end

The norms inside the branches are over the whole window; their statistics are kept step by step.
What is kept was normalised with the statistics of its day. That is all in which this differs from a
window that is computed at once, and the sweep, which goes over the window and begins again, keeps
it small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from streamsep.models.incremental.branches import MovingBranches, Part
from streamsep.models.incremental.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from streamsep.models.tuned.layers import TunedEncoder

__all__ = ["MovingLayer"]


class MovingLayer:
    """An encoder layer whose output is a `Window`.

    Args:
        layer: the layer, shared with the network.
        length: steps of the window, in the layer's output.
        per_frame: steps of the output in a frame of the spectrogram.
        changing: steps at the beginning and at the end of the input that change when the window
            moves.
        convolve_only: stop after the strided convolution, as bare layers do anyway.
        offset: what is added to the output.
    """

    def __init__(
        self,
        layer: TunedEncoder,
        length: int,
        per_frame: int,
        changing: tuple[int, int],
        *,
        convolve_only: bool = False,
        offset: Tensor | None = None,
    ) -> None:
        shape = layer.shape
        self._layer = layer
        self._offset = offset
        self._per_frame = per_frame
        self._shrinks = 1 if shape.along_frequency else shape.stride
        # The strided convolution: by how many steps of the output it looks past either end.
        ahead = 0 if shape.along_frequency else shape.kernel - shape.padding - 1
        self._cut = 0 if shape.along_frequency else -(-shape.padding // shape.stride)
        finishes = not (convolve_only or layer.bare)
        self._branches = MovingBranches(layer.branches, length) if finishes else None
        reach = 0 if self._branches is None else self._branches.reach
        before = 0 if shape.along_frequency else shape.padding
        self.changing = (
            -(-(changing[0] + before) // self._shrinks) + reach,
            (changing[1] + ahead) // self._shrinks + reach,
        )
        self._lead = self._cut + reach
        self._renewed = 0
        self.output = Window(length)

    def renew(self, steps: int, moved: int) -> int:
        """Compute so many steps at the end anew with every move, and all that change.

        Args:
            steps: at least these.
            moved: by how many frames the window usually moves.

        Returns:
            How many steps at the end of the input these look at.
        """
        steps = max(steps, moved * self._per_frame + self.changing[1])
        self._renewed = min(steps, self.output.length)
        return (self._renewed + self._lead) * self._shrinks

    @property
    def kept(self) -> slice:
        """Frames that do not all change with every move."""
        beginning, end = self.changing[0], self.output.length - self._renewed
        return slice(beginning // self._per_frame, max(0, -(-end // self._per_frame)))

    def keeps(self, moved: int, swept: slice) -> bool:
        """Whether any step is kept when the window moves so far and these frames are swept."""
        return len(self._stretches(moved, swept)) > 1

    def begin_as(self, other: MovingLayer, batch: int) -> None:
        """Hold what the same layer of another stream holds, for every signal of a batch."""
        self.output.begin_as(other.output, batch)
        if self._branches is not None and other._branches is not None:
            self._branches.begin_as(other._branches, batch)

    def advance(
        self,
        take: Callable[[Sequence[slice]], Tensor],
        moved: int,
        swept: slice,
        inject: Window | None = None,
    ) -> None:
        """Move the output, and compute of it what has changed.

        Args:
            take: gives stretches of the input [B, C, F, T], already moved, one after the other.
            moved: by how many frames of the spectrogram; all of them at first.
            swept: frames to compute as well.
            inject: what the time branch adds.
        """
        self.output.move(moved * self._per_frame)
        if self._branches is not None:
            self._branches.move(moved * self._per_frame)
        stretches = self._stretches(moved, swept)
        parts = [self._part_around(each) for each in stretches]
        spans = [part.span for part in parts]
        shrinks = self._shrinks
        y = take([slice(span.start * shrinks, span.stop * shrinks) for span in spans])
        if self._branches is None:
            y = self._layer.convolve(y)
        else:
            y = self._finish(self._layer.convolve(y, "gelu"), self._branches, parts)
        for extra in (None if inject is None else inject.take(spans), self._offset):
            y = y if extra is None else y.add_(extra)
        pieces = torch.split(y, [part.steps for part in parts], -1)
        for stretch, span, piece in zip(stretches, spans, pieces, strict=True):
            own = piece[..., stretch.start - span.start : stretch.stop - span.start]
            self.output.write(stretch.start, own)

    def _finish(self, y: Tensor, branches: MovingBranches, parts: Sequence[Part]) -> Tensor:
        """Branches and rewrite, which look along time alone: every bin is a row."""
        batch, channels, bins, steps = y.shape
        rows = y.permute(0, 2, 3, 1).reshape(batch * bins, 1, steps, channels).permute(0, 3, 1, 2)
        rows = self._layer.rewrite(branches.run(rows, parts))
        return rows.permute(0, 2, 3, 1).reshape(batch, bins, steps, channels).permute(0, 3, 1, 2)

    def _stretches(self, moved: int, swept: slice) -> list[slice]:
        """What to compute: as many steps with every move, for oneDNN prepares for each number.

        It is all of a window that is so short that stretches and what they look at are no less.
        """
        length, steps = self.output.length, self._per_frame
        beginning, end = self.changing
        end = max(moved * steps + end, self._renewed)
        sweep = (swept.stop - swept.start) * steps
        beside = (4 if sweep else 2) * self._lead
        if beginning + sweep + end + beside >= length:
            return [slice(0, length)]
        first = min(max(beginning, swept.start * steps), length - end - sweep)
        each = slice(0, beginning), slice(first, first + sweep), slice(length - end, length)
        return [stretch for stretch in each if stretch.start < stretch.stop]

    def _part_around(self, stretch: slice) -> Part:
        """What must be computed for a stretch, and what of it the strided convolution spares."""
        length = self.output.length
        start, stop = max(0, stretch.start - self._lead), min(length, stretch.stop + self._lead)
        own = slice(start + self._cut if start else 0, stop - self._cut if stop < length else stop)
        return Part(slice(start, stop), own)
