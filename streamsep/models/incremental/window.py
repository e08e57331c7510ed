"""What a stream remembers of its window: the last steps of something, and their statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Window", "WindowStatistics", "gathered"]


def gathered(x: Tensor, stretches: Sequence[slice]) -> Tensor:
    """Some stretches of steps of x [B, C, F, T], one after the other, in channels_last.

    All of x may come back as it is.
    """
    if len(stretches) == 1:
        return x[..., stretches[0]].contiguous(memory_format=torch.channels_last)
    in_memory = x.permute(0, 2, 3, 1)
    return torch.cat([in_memory[:, :, each] for each in stretches], dim=2).permute(0, 3, 1, 2)


class Window:
    """The last steps of a tensor [B, C, F, T] in channels_last that grows at its end.

    The steps lie in a buffer of twice the length, so that moving on costs a copy of the whole only
    when its end is reached; what is written as a whole is the buffer, and costs none.

    Args:
        length: N, steps of the window.
    """

    def __init__(self, length: int) -> None:
        self.length = length
        self._start = 0
        self._buffer = torch.empty(0)

    @property
    def steps(self) -> Tensor:
        """The window [B, C, F, N]; a view that the next write changes."""
        self._make_room()
        return self._buffer[..., self._start : self._start + self.length]

    def take(self, stretches: Sequence[slice]) -> Tensor:
        """Some stretches of it, one after the other, which may be its own memory."""
        return gathered(self.steps, stretches)

    def begin_as(self, other: Window, batch: int) -> None:
        """Hold what another window holds, as often as there are signals in a batch.

        What counts as a batch of one there may be rows, one after the other.
        """
        self.write(0, other.steps.repeat(batch, 1, 1, 1))

    def move(self, steps: int) -> None:
        """Let the oldest steps go; the youngest hold anything until they are written."""
        self._start += steps

    def write(self, first: int, values: Tensor) -> None:
        """Write some steps [B, C, F, n] from a position in the window on; all of them at first.

        All of them are kept as they are given, and must not be changed any more.
        """
        if values.shape[-1] == self.length:
            self._buffer = values.contiguous(memory_format=torch.channels_last)
            self._start = 0
            return
        self._make_room()
        begin = self._start + first
        self._buffer[..., begin : begin + values.shape[-1]] = values

    def _make_room(self) -> None:
        """Go on at the beginning of the buffer where its end was reached."""
        room = self._buffer.shape[-1]
        if self._start + self.length <= room:
            return
        kept = self._buffer[..., self._start :]
        if room < 2 * self.length:
            self._buffer = torch.empty(
                (*kept.shape[:-1], 2 * self.length),
                dtype=kept.dtype,
                device=kept.device,
                memory_format=torch.channels_last,
            )
        else:
            kept = kept.clone()  # the two stretches may overlap
        self._buffer[..., : kept.shape[-1]] = kept
        self._start = 0


class WindowStatistics:
    """Mean and variance over all that lies in a window, kept step by step.

    Each step has its own mean and its own sum of squared differences; those of the window follow
    from them without the loss of digits that the difference of two large sums would bring.

    Args:
        length: N, steps of the window.

    Source: Chan, Golub and LeVeque, "Algorithms for computing the sample variance" (1983).
    """

    def __init__(self, length: int) -> None:
        # Two channels: the means and the sums of squares.
        self._steps = Window(length)
        self._width = 1

    def begin_as(self, other: WindowStatistics, batch: int) -> None:
        """As in `Window`."""
        self._steps.begin_as(other._steps, batch)
        self._width = other._width

    def move(self, steps: int) -> None:
        """As in `Window`."""
        self._steps.move(steps)

    def write(self, first: int, values: Tensor) -> None:
        """Take in some steps of the window, [B, C, n]."""
        self._width = values.shape[1]
        # In two passes over memory that lies in order: `torch.var_mean` takes ten times as long.
        mean = values.mean(dim=1, keepdim=True)
        squares = (values - mean).square_().sum(dim=1, keepdim=True)
        self._steps.write(first, torch.stack([mean, squares], dim=1))

    def moments(self, *, correction: int = 0) -> tuple[Tensor, Tensor]:
        """Mean and variance of the window, [B] each; the variance divides by count − correction."""
        means, squares = self._steps.steps[:, :, 0].unbind(1)
        mean = means.mean(-1)
        differences = squares.sum(-1) + self._width * (means - mean[:, None]).square().sum(-1)
        return mean, differences / (self._width * means.shape[-1] - correction)
