"""What the engine knows of a network: four facts and a call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["NormalisedSeparator", "Separator"]


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


class NormalisedSeparator:
    """A separator that sees the mixture centred and scaled by fixed statistics.

    Files are separated this way: with the mean and the deviation of the whole track, which a first
    pass over it measured, a quiet song reaches the network as loud as any other.

    Args:
        separator: what separates.
        mean: mean of the track.
        deviation: standard deviation of the track, above 0.
    """

    def __init__(self, separator: Separator, mean: float, deviation: float) -> None:
        self._separator = separator
        self._mean = mean
        self._deviation = deviation

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

    def __call__(self, mix: Tensor) -> Tensor:
        """Separate mix [B, C, T] into [B, S, C, T], both at the track's own level."""
        estimate = self._separator((mix - self._mean) / self._deviation)
        return estimate * self._deviation + self._mean
