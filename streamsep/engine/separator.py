"""What the engine knows of a network: four facts and a call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

__all__ = [
    "DeferringSeparator",
    "IncrementalSeparator",
    "NormalisedSeparator",
    "SegmentFollower",
    "Separator",
    "SurroundedSeparator",
    "WrappedSeparator",
    "begin",
    "follow",
    "separate_within",
    "surroundings_of",
]


@runtime_checkable
class Separator(Protocol):
    """Anything that separates a mixture: a network, a bag of them, an exported program.

    It is stateless: what comes out depends on the segment that goes in and on nothing else.
    """

    @property
    def sample_rate(self) -> int:
        """Samples per second that it expects."""

    @property
    def channels(self) -> int:
        """Audio channels C that it expects."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the S stems, in the order of the output."""

    @property
    def stride(self) -> int:
        """Samples by which a segment may move without changing how the network sees it."""

    def __call__(self, mix: Tensor) -> Tensor:
        """Separate float32 mix [B, C, T], T from 1, into [B, S, C, T]."""


@runtime_checkable
class SurroundedSeparator(Separator, Protocol):
    """A separator that wants to know what really lies around a segment.

    Its layers need samples on either side of what they estimate. Called with a segment alone it
    takes silence for them; where the recording goes on, it can be given that instead.
    """

    @property
    def surroundings(self) -> int:
        """Samples on either side of a segment that can change its estimate; 0 for none."""

    def separate_within(self, mix: Tensor, start: int, length: int) -> Tensor:
        """Separate a part of float32 mix [B, C, T], aware of the rest, into [B, S, C, length].

        What it needs beyond the ends of the mix is silence.
        """


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


def surroundings_of(separator: Separator) -> int:
    """Samples on either side of a segment that a separator makes use of."""
    return separator.surroundings if isinstance(separator, SurroundedSeparator) else 0


def separate_within(separator: Separator, mix: Tensor, start: int, length: int) -> Tensor:
    """Separate the part of a mix [B, C, T] that begins at `start`, into [B, S, C, length].

    The rest of the mix is for separators that make use of surroundings.
    """
    if isinstance(separator, SurroundedSeparator):
        return separator.separate_within(mix, start, length)
    return separator(mix[..., start : start + length])


def begin(separator: Separator, mix: Tensor, start: int, length: int) -> Callable[[], Tensor]:
    """Hand in a part of a mix [B, C, T]; calling the result waits for its stems [B, S, C, length].

    Separators that know no waiting have computed them by then.
    """
    if isinstance(separator, DeferringSeparator):
        return separator.begin(mix, start, length)
    estimate = separate_within(separator, mix, start, length)
    return lambda: estimate


class WrappedSeparator:
    """States what the separator within it states.

    Args:
        separator: what separates.
    """

    def __init__(self, separator: Separator) -> None:
        self._separator = separator

    @property
    def sample_rate(self) -> int:
        """That of the separator within."""
        return self._separator.sample_rate

    @property
    def channels(self) -> int:
        """Those of the separator within."""
        return self._separator.channels

    @property
    def sources(self) -> tuple[str, ...]:
        """Those of the separator within."""
        return self._separator.sources

    @property
    def stride(self) -> int:
        """That of the separator within."""
        return self._separator.stride

    @property
    def surroundings(self) -> int:
        """Those of the separator within."""
        return surroundings_of(self._separator)


class NormalisedSeparator(WrappedSeparator):
    """A separator that sees the mixture centred and scaled by fixed statistics.

    Files are separated this way: with the mean and the deviation of the whole track, which a first
    pass over it measured, a quiet song reaches the network as loud as any other.

    Args:
        separator: what separates.
        mean: mean of the track.
        deviation: standard deviation of the track, above 0.
    """

    def __init__(self, separator: Separator, mean: float, deviation: float) -> None:
        super().__init__(separator)
        self._mean = mean
        self._deviation = deviation

    @property
    def silence(self) -> float:
        """The level that reaches the separator within as silence."""
        return self._mean

    def __call__(self, mix: Tensor) -> Tensor:
        """Separate mix [B, C, T] into [B, S, C, T], both at the track's own level."""
        return self.separate_within(mix, 0, mix.shape[-1])

    def separate_within(self, mix: Tensor, start: int, length: int) -> Tensor:
        """Separate a part of mix [B, C, T] into [B, S, C, length], at the track's own level."""
        return self.begin(mix, start, length)()

    def begin(self, mix: Tensor, start: int, length: int) -> Callable[[], Tensor]:
        """As `separate_within`, later if the separator within defers."""
        normalised = (mix - self._mean) / self._deviation
        later = begin(self._separator, normalised, start, length)
        return lambda: (later() * self._deviation).add_(self._mean)
