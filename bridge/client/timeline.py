"""What a live client knows about the past: the mixture it sent and the stems that came back.

Both lie in rings that are indexed by the absolute position of a sample. One thread plays: it adds
the newest mixture, takes what is due, and never waits. Another one receives: it sends the mixture
on and adds stems as they come, in whatever pieces. The two share nothing but the rings and a few
whole numbers that only one of them writes.

    position ──►
    mixture  ░░░░░░░░░░░░░░░░░░░░░░░░░░│ now
    stems    ████████▒▒▒▒████          │       ▒ never came in time
    played   ───────────│              │
                        |<- latency -->|

Where stems are missing, the mixture of that position plays in the stem `other`. The change takes
`FADE` samples each way, so what is played looks that far ahead.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

T = TypeVar("T", np.float32, np.int64)

__all__ = ["FADE", "Timeline"]

FADE = 64
"""Samples in which stems turn into the mixture, and back."""


class Timeline:
    """Rings of the mixture and its stems, and the delay line that is played from them.

    Args:
        stems: S.
        channels: C.
        keeper: index of the stem that plays the mixture where stems are missing.
        latency: samples between an input sample and the same sample in the output.
        longest_block: of the playing thread.
    """

    def __init__(
        self, stems: int, channels: int, *, keeper: int, latency: int, longest_block: int
    ) -> None:
        self.latency = latency
        self.longest_block = longest_block
        self._keeper = keeper
        # A power of two, so that a position's place is a mask; twice what is alive at any moment,
        # so that the threads never meet at one place.
        self._size = 1 << (2 * (latency + 2 * longest_block + FADE)).bit_length()
        # Filled, for the pages of `np.zeros` would be fetched while the first round is played.
        self._mixture = np.full((channels, self._size), 0.0, np.float32)
        self._stems = np.full((stems, channels, self._size), 0.0, np.float32)
        self._held = np.full(self._size, -self._size - 1, np.int64)
        """Of which position each place holds the stems."""
        self._gain = 1.0
        self.now = 0
        """Position of the next input sample; written by the playing thread."""
        self.missed = 0
        """Samples played without their stems, the time before the first ones aside."""
        self.gaps = 0
        """How often stems turned into the mixture."""
        self.late = 0
        """Samples of stems that came when they had been due; written by the receiving thread."""
        # Before the first sample there was silence, and its stems are known.
        self._hold(-latency, latency)

    def exchange(self, block: Samples, out: Samples) -> None:
        """Add the newest mixture and take the stems that are due. For the playing thread.

        Real-time: no lock, no system call; small temporary arrays.

        Args:
            block: float32 [C, t], t up to the longest block.
            out: float32 [S, C, t], to be filled. It may share no memory with the block.
        """
        length = block.shape[-1]
        begin = self.now
        self._put(self._mixture, begin, block)
        self.now = begin + length
        due = begin - self.latency
        gain = self._gains(due, length)
        self._get(self._stems, due, out)
        if gain is not None:
            out *= gain
            dry = np.empty_like(block)
            self._get(self._mixture, due, dry)
            dry *= 1 - gain
            out[self._keeper] += dry

    def mixture(self, begin: int, end: int) -> Samples:
        """The mixture [C, end - begin] of positions that are not older than half the ring."""
        samples = np.empty((self._mixture.shape[0], end - begin), np.float32)
        self._get(self._mixture, begin, samples)
        return samples

    def add_stems(self, position: int, stems: Samples) -> None:
        """Add stems [S, C, n] from a position on. For the receiving thread."""
        skip = min(max(self.now - self.latency - position, 0), stems.shape[-1])
        self.late += skip
        begin, useful = position + skip, stems[..., skip : skip + self._size // 2]
        self._put(self._stems, begin, useful)
        # The samples first, then the word that they are there.
        self._hold(begin, useful.shape[-1])

    def _gains(self, due: int, length: int) -> Samples | None:
        """The weight of the stems for each sample; None where it is 1 throughout."""
        seen = np.empty(length + FADE - 1, np.int64)
        self._get(self._held, due, seen)
        absent = seen != np.arange(due, due + len(seen))
        if self._gain == 1.0 and not absent.any():
            return None
        # A sample is wanted if the whole fade after it could be played.
        count = np.concatenate([[0], np.cumsum(absent)])
        wanted = count[FADE:] == count[:-FADE]
        gain = np.empty(length, np.float32)
        level = self._gain
        changes = [0, *(np.flatnonzero(wanted[1:] != wanted[:-1]) + 1), length]
        for first, last in pairwise(changes):
            if first == last:
                continue
            steps = np.arange(1, last - first + 1, dtype=np.float32) / FADE
            if wanted[first]:
                gain[first:last] = np.minimum(level + steps, 1.0)
            else:
                self.gaps += level == 1.0
                gain[first:last] = np.maximum(level - steps, 0.0)
            level = float(gain[last - 1])
        self._gain = level
        if due + length > 0:
            self.missed += int((~wanted[max(0, -due) :]).sum())
        return gain

    def _hold(self, begin: int, length: int) -> None:
        """Note that the places of these positions hold their stems."""
        positions = np.arange(begin, begin + length)
        self._put(self._held, begin, positions)

    def _put(self, ring: NDArray[T], begin: int, samples: NDArray[T]) -> None:
        for places, part in self._places(begin, samples.shape[-1]):
            ring[..., places] = samples[..., part]

    def _get(self, ring: NDArray[T], begin: int, out: NDArray[T]) -> None:
        for places, part in self._places(begin, out.shape[-1]):
            out[..., part] = ring[..., places]

    def _places(self, begin: int, length: int) -> list[tuple[slice, slice]]:
        """Where positions lie in a ring, and where in an array of them: one piece, or two."""
        first = begin & (self._size - 1)
        head = min(length, self._size - first)
        pieces = [(slice(first, first + head), slice(0, head))]
        if head < length:
            pieces.append((slice(0, length - head), slice(head, length)))
        return pieces
