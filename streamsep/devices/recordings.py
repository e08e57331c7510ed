"""Which shapes have been recorded, and which of them to keep.

To record a shape costs several computations, and memory on the device as long as it is kept. So a
shape is recorded when it is asked for the second time (the last segment of a file is of a length
that never comes again), the one that was not used for longest has to go when there are too many,
and a separator that cannot be recorded is not tried again.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from streamsep.devices.out_of_memory import is_out_of_memory

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Recording", "Recordings", "Shape"]

logger = logging.getLogger(__name__)

Shape = tuple[int, ...]
"""Of a batch of mixtures: (B, C, T)."""


class Recording(Protocol):
    """What was recorded for one shape."""

    def close(self) -> None:
        """Give its memory back; it must not be used any more."""


R = TypeVar("R", bound=Recording)


class Recordings(Generic[R]):
    """Records shapes on demand.

    Args:
        record: makes the recording of a shape, or raises a RuntimeError or MemoryError.
        most: recordings to keep, at least 1.
    """

    def __init__(self, record: Callable[[Shape], R], most: int) -> None:
        self._record = record
        self._most = most
        self._kept: OrderedDict[Shape, R] = OrderedDict()
        self._seen_once: OrderedDict[Shape, None] = OrderedDict()
        self._too_large: OrderedDict[Shape, None] = OrderedDict()
        self._impossible = False

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def possible(self) -> bool:
        """Whether anything can be recorded; True as long as nobody tried."""
        return not self._impossible

    def find(self, shape: Shape) -> R | None:
        """The recording of a shape, made if it is wanted again; None to compute without."""
        if (kept := self._kept.get(shape)) is not None:
            self._kept.move_to_end(shape)
            return kept
        if shape in self._seen_once:
            return self.make(shape)
        _remember(self._seen_once, shape, self._most)
        return None

    def make(self, shape: Shape) -> R | None:
        """The recording of a shape, made at once; None if it cannot be."""
        if shape in self._kept:
            return self.find(shape)
        if self._impossible or shape in self._too_large:
            return None
        while len(self._kept) >= self._most:
            self._kept.popitem(last=False)[1].close()
        try:
            self._kept[shape] = made = self._record(shape)
        except (RuntimeError, MemoryError) as error:
            self._give_up(shape, error)
            return None
        return made

    def _give_up(self, shape: Shape, error: RuntimeError | MemoryError) -> None:
        # What ends a recording that was broken off may raise an error of its own.
        if is_out_of_memory(error) or is_out_of_memory(error.__context__ or error):
            _remember(self._too_large, shape, self._most)
            logger.warning(
                "no memory on the device to record segments of shape %s; "
                "they are computed step by step, which is slower",
                list(shape),
            )
            return
        self._impossible = True
        logger.warning(
            "this network cannot be recorded as a graph and is computed step by step, "
            "which is slower: %s",
            str(error.__context__ or error).strip().partition("\n")[0],
        )

    def close(self) -> None:
        """Give all memory back."""
        while self._kept:
            self._kept.popitem()[1].close()


def _remember(shapes: OrderedDict[Shape, None], shape: Shape, most: int) -> None:
    shapes[shape] = None
    if len(shapes) > most:
        shapes.popitem(last=False)
