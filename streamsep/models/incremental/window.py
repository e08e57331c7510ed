"""What a stream remembers of its window: the last steps of something, and their statistics."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["Window", "WindowStatistics"]


class Window:
    """The last steps of a tensor [..., T] that grows at its end.

    The steps lie in a buffer of twice the length, so that moving on costs a copy of the whole only
    when its end is reached.

    Args:
        length: N, steps of the window.
    """

    def __init__(self, length: int) -> None:
        self.length = length
        self._start = 0
        self._buffer = torch.empty(0)

    @property
    def steps(self) -> Tensor:
        """The window [..., N]; a view that the next write changes."""
        return self._buffer[..., self._start : self._start + self.length]

    def begin_as(self, other: Window, batch: int) -> None:
        """Hold what another window holds, as often as there are signals in a batch."""
        steps = other.steps
        self.write(0, steps.repeat(batch, *(1 for _ in steps.shape[1:])))

    def move(self, steps: int) -> None:
        """Let the oldest steps go; the youngest hold anything until they are written."""
        self._start += steps
        if self._start + self.length > self._buffer.shape[-1]:
            # A copy first: the two stretches may overlap.
            kept = self._buffer[..., self._start :].clone()
            self._buffer[..., : kept.shape[-1]] = kept
            self._start = 0

    def write(self, first: int, values: Tensor) -> None:
        """Write some steps [..., n] from a position in the window on; all of them at first."""
        if values.shape[-1] == self.length:
            self._buffer = values.new_empty(*values.shape[:-1], 2 * self.length)
            self._start = 0
        begin = self._start + first
        self._buffer[..., begin : begin + values.shape[-1]] = values


class WindowStatistics:
    """Mean and variance over all that lies in a window, kept step by step.

    Each step has its own mean and its own sum of squared differences; those of the window follow
    from them without the loss of digits that the difference of two large sums would bring.

    Args:
        length: N, steps of the window.

    Source: Chan, Golub and LeVeque, "Algorithms for computing the sample variance" (1983).
    """

    def __init__(self, length: int) -> None:
        self._means = Window(length)
        self._squares = Window(length)
        self._width = 1

    def begin_as(self, other: WindowStatistics, batch: int) -> None:
        """As in `Window`."""
        self._means.begin_as(other._means, batch)
        self._squares.begin_as(other._squares, batch)
        self._width = other._width

    def move(self, steps: int) -> None:
        """As in `Window`."""
        self._means.move(steps)
        self._squares.move(steps)

    def write(self, first: int, values: Tensor) -> None:
        """Take in some steps of the window, [B, C, n]."""
        self._width = values.shape[1]
        # In two passes over memory that lies in order: `torch.var_mean` takes ten times as long.
        mean = values.mean(dim=1, keepdim=True)
        self._means.write(first, mean[:, 0])
        self._squares.write(first, (values - mean).square_().sum(dim=1))

    def rewrite(self, means: Tensor, squares: Tensor) -> None:
        """Replace those of all steps: means and sums of squared differences from them, [B, N]."""
        self._means.steps.copy_(means)
        self._squares.steps.copy_(squares)

    def moments(self, *, correction: int = 0) -> tuple[Tensor, Tensor]:
        """Mean and variance of the window, [B] each; the variance divides by count − correction."""
        means = self._means.steps
        mean = means.mean(-1)
        squares = self._squares.steps.sum(-1)
        squares = squares + self._width * (means - mean[:, None]).square().sum(-1)
        return mean, squares / (self._width * means.shape[-1] - correction)
