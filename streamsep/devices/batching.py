"""Batches of the few sizes for which a device has been prepared.

A graph is recorded for one size. Powers of two need few graphs, and less than half of a batch is
made up; what exceeds the largest is computed in several batches::

    asked for    1   2   3   4   5   6   7   8   9   11    largest: 8
    computed as  1   2   4   4   8   8   8   8   8+1 8+4
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["batch_sizes", "parts_of", "rounded_up", "write_padded"]


def batch_sizes(largest: int) -> tuple[int, ...]:
    """All sizes that are computed: the powers of two below the largest, and that one."""
    sizes = [1]
    while 2 * sizes[-1] < largest:
        sizes.append(2 * sizes[-1])
    return (*sizes, largest) if largest > 1 else (1,)


def rounded_up(batch: int, largest: int) -> int:
    """The size as which a batch from 1 to the largest is computed."""
    return next(size for size in batch_sizes(largest) if size >= batch)


def parts_of(batch: int, largest: int) -> list[int]:
    """How a batch from 1 is divided, in order."""
    whole, rest = divmod(batch, largest)
    return [largest] * whole + [rest] * (rest > 0)


def write_padded(buffer: Tensor, mix: Tensor) -> None:
    """Write a mix [b, ...] into a buffer [B, ...], b from 1 to B, whose rest is silence."""
    buffer[: len(mix)].copy_(mix)
    buffer[len(mix) :].zero_()
