"""Giving separators what lies around a segment, where they have a use for it.

Networks without padding, such as the Demucs in time, complete a segment to a length that their
layers like. Zeros will do, and real neighbours are better. Such networks have `surroundings` and
`separate_within` (see `streamsep.engine.SurroundedSeparator`); others hear the segment alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from torch import Tensor

    from streamsep.engine.separator import Separator, SurroundedSeparator

__all__ = ["separate_within", "surroundings_of"]


def surroundings_of(separator: Separator) -> int:
    """Samples on either side of a segment that a separator makes use of."""
    return int(getattr(separator, "surroundings", 0))


def separate_within(separator: Separator, mix: Tensor, start: int, length: int) -> Tensor:
    """Separate the part of a mix [B, C, T] that begins at `start`, into [B, S, C, length]."""
    if surroundings_of(separator):
        return cast("SurroundedSeparator", separator).separate_within(mix, start, length)
    return separator(mix[..., start : start + length])
