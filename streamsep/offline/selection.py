"""Which stems are written: all of them, or one and its complement."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from streamsep.engine.fifo import SampleFifo
from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from streamsep.offline.options import OtherMethod

__all__ = ["StemSelector"]


class StemSelector:
    """A `Renderer` that writes the stems as they are, or one and its complement.

    Args:
        sources: names of the network's stems.
        two_stems: the one to write with its complement `no_<stem>`; None for all.
        other_method: how the complement is made.

    Raises:
        ConfigError: the network has no such stem.
    """

    def __init__(
        self, sources: tuple[str, ...], two_stems: str | None, other_method: OtherMethod
    ) -> None:
        if two_stems is not None and two_stems not in sources:
            raise ConfigError(f"unknown stem {two_stems!r}, this model gives {', '.join(sources)}")
        self._index = None if two_stems is None else sources.index(two_stems)
        self._method = other_method
        if two_stems is None:
            self.names = sources
        elif other_method == "none":
            self.names = (two_stems,)
        else:
            self.names = (two_stems, f"no_{two_stems}")

    def open(self, sample_rate: int, channels: int) -> nullcontext[StemSelection]:
        """Begin a track."""
        return nullcontext(StemSelection(self._index, self._method))


class StemSelection:
    """Turns all stems of one track into those to be written.

    Args:
        index: of the stem to write with its complement; None for all stems.
        other_method: how the complement is made.
    """

    def __init__(self, index: int | None, other_method: OtherMethod) -> None:
        self._index = index
        self._method = other_method
        self._mix = SampleFifo()

    def take_mix(self, block: Tensor) -> None:
        """Keep the mixture [C, t] until its stems come, if they will be subtracted from it."""
        if self._index is not None and self._method == "minus":
            self._mix.push(block)

    def push(self, stems: Tensor) -> list[Tensor]:
        """The stems to write, [C, n] each, from [S, C, n]."""
        if self._index is None:
            return list(stems)
        chosen = stems[self._index]
        if self._method == "none":
            return [chosen]
        if self._method == "minus":
            return [chosen, self._mix.pop(stems.shape[-1]) - chosen]
        return [chosen, stems.sum(0) - chosen]

    def finish(self, stems: Tensor) -> list[Tensor]:
        """The last stems to write: nothing is held back and nothing rings on."""
        return self.push(stems)
