"""What is made of the stems of a track before it is written.

`separate_track` separates, renders and writes in one pass. Which files come of it is the renderer's
to say: the stems themselves, or whatever a mixing board makes of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from torch import Tensor

__all__ = ["Renderer", "Rendering"]


class Rendering(Protocol):
    """One track on its way from stems to what is written."""

    def take_mix(self, block: Tensor) -> None:
        """Hear the mixture [C, t], which comes before its stems."""

    def push(self, stems: Tensor) -> list[Tensor]:
        """Take in the next stems [S, C, n]; give back [C, m] for every name, m from 0."""

    def finish(self, stems: Tensor) -> list[Tensor]:
        """Take in the last stems [S, C, n]; give back the rest, [C, m] for every name.

        In all, at least as many samples come out as went in.
        """


class Renderer(Protocol):
    """Makes files of stems; several tracks may be under way at the same time.

    Attributes:
        names: of what is written for every track.
    """

    names: tuple[str, ...]

    def open(self, sample_rate: int, channels: int) -> AbstractContextManager[Rendering]:
        """Begin a track."""
