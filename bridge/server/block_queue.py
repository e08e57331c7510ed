"""Blocks on their way into a session's stream: gathered until the stream can work on them.

A sound card's blocks are small, and most of them only fill up a segment. Were a thread woken for
each, sixteen sessions would spend a whole core on waking up and have nothing left to compute with.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BlockQueue", "Gathered"]


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """What one turn of the stream works on.

    Attributes:
        epoch: the stream that it belongs to.
        samples: float32 [C, T], a copy; None for the end of the stream.
        arrived_s: when the last of it came in.
    """

    epoch: int
    samples: NDArray[np.float32] | None
    arrived_s: float


class BlockQueue:
    """Blocks of one stream after the other; put in by one thread and taken by another."""

    def __init__(self) -> None:
        self._blocks: deque[tuple[NDArray[np.float32], float]] = deque()
        self._samples = 0
        self._ended_s: float | None = None
        self._epoch = 0
        self._wanted = 1
        self._closed = False
        self._taken = False
        self._changed = threading.Condition()

    def __len__(self) -> int:
        """Blocks that wait, for their turn or for others."""
        return len(self._blocks)

    @property
    def is_busy(self) -> bool:
        """Whether something is being worked on, or waits to be."""
        with self._changed:
            return self._taken or self._is_ripe()

    def put(self, samples: NDArray[np.float32], arrived_s: float) -> None:
        """Append a block [C, t], t from 1, that came in at some time."""
        with self._changed:
            self._blocks.append((samples, arrived_s))
            self._samples += samples.shape[-1]
            self._wake()

    def end(self, arrived_s: float) -> None:
        """No more blocks will come before `restart`."""
        with self._changed:
            self._ended_s = arrived_s
            self._wake()

    def restart(self, epoch: int) -> None:
        """Forget all that waits; what comes from now on is of another stream."""
        with self._changed:
            self._epoch = epoch
            self._wanted = 1
            self._clear()

    def close(self) -> None:
        """Forget all that waits, and let whoever takes go home."""
        with self._changed:
            self._closed = True
            self._taken = False
            self._clear()
            self._changed.notify()

    def take(self, epoch: int, wanted: int) -> Gathered | None:
        """Wait for something to work on.

        Args:
            epoch: of the stream that asks.
            wanted: samples that it needs; another stream than the one that asks gets what there is.

        Returns:
            As many blocks as that takes and no more, so that what comes of them is dated by the
            block that completed it; or those before the end of the stream, or the end itself. None
            once the queue is closed.
        """
        with self._changed:
            self._taken = False
            self._wanted = wanted if epoch == self._epoch else 1
            while not (self._closed or self._is_ripe()):
                self._changed.wait()
            if self._closed:
                return None
            self._taken = True
            if not self._blocks:
                assert self._ended_s is not None
                ended_s, self._ended_s = self._ended_s, None
                return Gathered(self._epoch, None, ended_s)
            return self._gather()

    def _gather(self) -> Gathered:
        taken: list[NDArray[np.float32]] = []
        left, arrived_s = self._wanted, 0.0
        while self._blocks and left > 0:
            block, arrived_s = self._blocks.popleft()
            taken.append(block)
            left -= block.shape[-1]
            self._samples -= block.shape[-1]
        return Gathered(self._epoch, np.concatenate(taken, axis=-1), arrived_s)

    def _is_ripe(self) -> bool:
        """Whether there is as much as was wanted last, or the end of the stream."""
        return self._samples >= self._wanted or self._ended_s is not None

    def _wake(self) -> None:
        if self._is_ripe():
            self._changed.notify()

    def _clear(self) -> None:
        self._blocks.clear()
        self._samples = 0
        self._ended_s = None
