"""What everything else knows of a network: four facts and a call.

Networks without padding, such as the Demucs in time, complete a segment to a length that their
layers like. Zeros will do, and real neighbours are better: such a network is a
`SurroundedSeparator`. Others hear the segment alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Separator", "SurroundedSeparator", "separate_within", "surroundings_of"]


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
