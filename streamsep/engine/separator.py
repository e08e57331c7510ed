"""What a separator may be able to do for a stream, beyond separating a segment.

None of it has to be: for whoever cannot do it, the functions here do without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

from streamsep.separator import (
    Separator,
    SurroundedSeparator,
    separate_within,
    surroundings_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

__all__ = [
    "DeferringSeparator",
    "ForgetfulSeparator",
    "FrugalFollower",
    "IncrementalSeparator",
    "SegmentFollower",
    "Separator",
    "SurroundedSeparator",
    "begin",
    "can_follow",
    "follow",
    "hops_at_once",
    "longest_context_of",
    "separate_within",
    "surroundings_of",
]


_MOST_HOPS_AT_ONCE = 4
"""Python runs one thread at a time, and a hop of many small operations is Python for a sixth."""


@runtime_checkable
class ForgetfulSeparator(Separator, Protocol):
    """A separator that is known to make nothing of what lies far back in a stream."""

    @property
    def longest_context(self) -> int | None:
        """Samples of context beyond which its stems get no better; None if nobody knows."""


@runtime_checkable
class DeferringSeparator(Separator, Protocol):
    """A separator that takes a segment now and has its stems later.

    Meanwhile it can be given others, which it may compute together.
    """

    def begin(self, mix: Tensor, start: int, length: int) -> Callable[[], Tensor]:
        """Take in what `separate_within` would; calling the result waits for [B, S, C, length]."""


class SegmentFollower(Protocol):
    """Separates the segments of one stream, of which each knows the ones before."""

    def __call__(self, segment: Tensor, hops: int = 1) -> Tensor:
        """Separate the next segment, which lies some hops after the last that was given.

        [B, C, T] into the wanted samples of its stems, [B, S, C, wanted].
        """

    def reset(self) -> None:
        """Forget the stream; the next segment is the first of another."""

    def begin_as(self, other: Self) -> None:
        """Let this and all later streams begin in the silence that another follower has heard.

        What of their first segment is as silent need not be computed then.

        Args:
            other: of the same network and tiling, of a batch of one.
        """


@runtime_checkable
class FrugalFollower(SegmentFollower, Protocol):
    """A follower that does not gain by every thread."""

    @property
    def most_threads(self) -> int | None:
        """How many of torch's threads it makes use of; None for all."""


@runtime_checkable
class IncrementalSeparator(Separator, Protocol):
    """A separator that can keep what a segment has in common with the one before."""

    def follow(self, *, segment: int, hop: int, wanted: slice) -> SegmentFollower | None:
        """Follow a stream.

        Args:
            segment: samples of each segment, a multiple of the stride.
            hop: samples between the starts of segments, likewise.
            wanted: the samples of each segment whose estimates it shall give.

        Returns:
            None where this separator has to compute every segment anew.
        """


def follow(
    separator: Separator, *, segment: int, hop: int, wanted: slice
) -> SegmentFollower | None:
    """Follow a stream of segments if the separator can; see `IncrementalSeparator.follow`."""
    if isinstance(separator, IncrementalSeparator):
        return separator.follow(segment=segment, hop=hop, wanted=wanted)
    return None


def can_follow(separator: Separator) -> bool:
    """Whether a separator has anything to keep from hop to hop."""
    hop = separator.stride  # any would do
    return follow(separator, segment=32 * hop, hop=hop, wanted=slice(0, hop)) is not None


def hops_at_once(follower: SegmentFollower | None, threads: int) -> int:
    """How many hops like a follower's use the processor best when computed beside each other.

    Args:
        follower: of one of them; None for a separator that computes every segment anew, for which
            nobody knows.
        threads: of torch's, for all of them.
    """
    most = follower.most_threads if isinstance(follower, FrugalFollower) else None
    return 1 if most is None else min(max(1, threads // most), _MOST_HOPS_AT_ONCE)


def longest_context_of(separator: Separator) -> int | None:
    """Samples of context beyond which a separator's stems get no better; None if nobody knows."""
    return separator.longest_context if isinstance(separator, ForgetfulSeparator) else None


def begin(separator: Separator, mix: Tensor, start: int, length: int) -> Callable[[], Tensor]:
    """Hand in a part of a mix [B, C, T]; calling the result waits for its stems [B, S, C, length].

    Separators that know no waiting have computed them by then.
    """
    if isinstance(separator, DeferringSeparator):
        return separator.begin(mix, start, length)
    estimate = separate_within(separator, mix, start, length)
    return lambda: estimate
