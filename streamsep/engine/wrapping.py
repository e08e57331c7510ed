"""Separators around another one, which see to what goes in and what comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamsep.engine.separator import begin, longest_context_of
from streamsep.separator import surroundings_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from streamsep.separator import Separator

__all__ = ["NormalisedSeparator", "WrappedSeparator"]


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
    def longest_context(self) -> int | None:
        """That of the separator within."""
        return longest_context_of(self._separator)

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
