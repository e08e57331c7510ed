"""Where `StemPlugin` gets its stems from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

__all__ = ["StemLine"]


class StemLine(Protocol):
    """A stream of stems that answers every block with as many samples, late by its latency."""

    @property
    def latency(self) -> int:
        """Samples between an input sample and the output that depends on it."""

    @property
    def stems(self) -> tuple[str, ...]:
        """Names of the stems, in the order of the output."""

    def process(self, block: Samples) -> Samples:
        """Take in a block [C, t]; give back stems [S, C, t]."""

    def flush(self) -> Samples:
        """Give back the last stems [S, C, latency]; be as new."""

    def reset(self) -> None:
        """Drop the stream; be as new."""

    def close(self) -> None:
        """End it."""
