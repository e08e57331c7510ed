"""Where in which song an example is cut.

scatter    any place of any song: what counts as an epoch is a matter of taste

grid       song 1  ├───────┤              a place every `stride` samples; an epoch takes
                      ├───────┤           each of them once, in an order of its own
                         ├───────┤░░      ░ silence past the end
           song 2  ├───────┤ ...
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

import numpy as np

from streamsep.training.dataset.chance import Purpose, generator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray

__all__ = ["Grid", "Place", "Places", "Scatter", "any_place", "any_place_in"]


@dataclass(frozen=True, slots=True)
class Place:
    """The beginning of a segment.

    Attributes:
        track: number of the song.
        start: sample in it.
    """

    track: int
    start: int


class Places(Protocol):
    """Knows where every example is cut."""

    @property
    def per_epoch(self) -> int:
        """Examples in an epoch."""

    def place(self, index: int, rng: Generator) -> Place:
        """The place of an example, by its number or by chance."""


def any_place(lengths: Sequence[int], segment: int, rng: Generator) -> Place:
    """A random place: every song is equally likely, and then every place in it."""
    return any_place_in(int(rng.integers(len(lengths))), lengths, segment, rng)


def any_place_in(track: int, lengths: Sequence[int], segment: int, rng: Generator) -> Place:
    """A random place of one song from which a whole segment follows, if there is one."""
    return Place(track, int(rng.integers(max(1, lengths[track] - segment + 1))))


@dataclass(frozen=True, slots=True)
class Scatter:
    """Random places of random songs.

    Attributes:
        lengths: samples in every song.
        segment: samples that an example takes.
        per_epoch: examples in an epoch.
    """

    lengths: Sequence[int]
    segment: int
    per_epoch: int

    def place(self, index: int, rng: Generator) -> Place:
        """By chance."""
        return any_place(self.lengths, self.segment, rng)


class Grid:
    """Places at equal distances in all songs.

    The last place of a song is the first from which a segment reaches the song's end.

    Args:
        lengths: samples in every song.
        segment: samples that an example takes.
        stride: samples from one place to the next.
        seed: of the epochs' orders.

    Attributes:
        per_epoch: places there are.

    Source: "Music Source Separation in the Waveform Domain", section "Training procedure": 11 s
    every second.
    """

    def __init__(self, lengths: Sequence[int], segment: int, stride: int, seed: int) -> None:
        self._stride = stride
        self._seed = seed
        places = [_places_in(length, segment, stride) for length in lengths]
        self._ends = np.cumsum(places)
        self.per_epoch = int(self._ends[-1])

    def place(self, index: int, rng: Generator) -> Place:
        """By the number: example i is the (i mod n)-th of its epoch, n being `per_epoch`."""
        epoch, turn = divmod(index, self.per_epoch)
        number = int(_order(self._seed, epoch, self.per_epoch)[turn])
        track = int(np.searchsorted(self._ends, number, side="right"))
        first = int(self._ends[track - 1]) if track else 0
        return Place(track, (number - first) * self._stride)


def _places_in(length: int, segment: int, stride: int) -> int:
    covering = 1 + -(-max(0, length - segment) // stride)
    within = -(-length // stride)  # fewer, where places are further apart than a segment is long
    return min(covering, within)


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    return generator(Purpose.EPOCH, seed, epoch).permutation(count)
