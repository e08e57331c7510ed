"""Somebody who plays: noise in blocks, at the pace of a sound card, through a live client."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bridge.client import LiveStemClient

__all__ = ["Player", "always", "ragged"]


class Player:
    """Keeps what went in and what came out.

    Args:
        client: who is played through.
        blocks: lengths of the blocks.
        sample_rate: of the client.
    """

    def __init__(self, client: LiveStemClient, blocks: Iterator[int], sample_rate: int) -> None:
        self._client = client
        self._blocks = blocks
        self._rate = sample_rate
        self._random = np.random.default_rng(1)
        self._start_s = time.monotonic()
        self._sent: list[np.ndarray] = []
        self._got: list[np.ndarray] = []
        self.position = 0
        self.longest_s = 0.0
        """The longest that `process` took."""

    @property
    def mix(self) -> np.ndarray:
        """What went in, [C, T]."""
        return np.concatenate(self._sent, -1)

    @property
    def stems(self) -> np.ndarray:
        """What came out, [S, C, T]."""
        return np.concatenate(self._got, -1)

    def play(self, seconds: float) -> None:
        """Play for so long."""
        end = self.position + int(seconds * self._rate)
        self.play_while(lambda: self.position < end)

    def play_while(self, condition: Callable[[], bool], at_most_s: float = 60.0) -> None:
        """Play as long as something holds."""
        end = self.position + at_most_s * self._rate
        while condition():
            assert self.position < end, f"still so after {at_most_s} s"
            self._step()

    def _step(self) -> None:
        block = self._random.uniform(-0.5, 0.5, (2, next(self._blocks))).astype(np.float32)
        time.sleep(max(0.0, self._start_s + self.position / self._rate - time.monotonic()))
        before_s = time.monotonic()
        self._got.append(self._client.process(block))
        self.longest_s = max(self.longest_s, time.monotonic() - before_s)
        self._sent.append(block)
        self.position += block.shape[-1]


def always(block: int) -> Iterator[int]:
    """Blocks of one length."""
    while True:
        yield block


def ragged(longest: int) -> Iterator[int]:
    """Blocks of any length, none among them."""
    random = np.random.default_rng(3)
    while True:
        yield int(random.integers(0, longest + 1))
