"""What is judged: a network used in one way or another, or a baseline that needs none."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import torch

from streamsep.audio.statistics import measure
from streamsep.engine import NormalisedSeparator, OverlapConfig, StreamConfig, StreamingSeparator

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

    from streamsep.engine import ConsistencyName, RefinementName
    from streamsep.models import LoadedModel

__all__ = [
    "AS_ESTIMATED",
    "MIXTURE",
    "OFFLINE",
    "SILENCE",
    "Baseline",
    "Finish",
    "Live",
    "Method",
    "Offline",
    "Stream",
]


OFFLINE = "offline"
"""Name of the method that separates whole files."""


class Stream(Protocol):
    """What turns blocks of a mixture into its stems, sooner or later."""

    def push(self, block: Tensor) -> Tensor:
        """Take in [C, t]; return the stems that are finished, [S, C, n]."""

    def flush(self) -> Tensor:
        """Return the rest, so that as much came out as went in."""


class Method(Protocol):
    """A way to estimate the stems of a mixture."""

    @property
    def name(self) -> str:
        """What it is called in results; every method of an evaluation has another name."""

    @property
    def latency(self) -> int | None:
        """Samples by which a live stream is late; None for what needs the whole song."""

    @property
    def passes(self) -> float:
        """How many times each sample goes through the network."""

    def facts(self) -> dict[str, Any]:
        """All that the scores depend on, beside the song and the weights."""

    def open(self, model: LoadedModel, mixture: Iterable[Tensor]) -> Stream:
        """A stream for one song, given the network and a first pass over its mixture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """What is done to a network's estimates, as `StreamingSeparator` offers it.

    Attributes:
        consistency: what becomes of the difference between the mixture and the estimates' sum.
        refinement: whether the mixture is given out again in the proportions of the estimates.
    """

    consistency: ConsistencyName = "off"
    refinement: RefinementName = "off"


AS_ESTIMATED = Finish()
"""Nothing is done to them."""


@dataclass(frozen=True, slots=True)
class Offline:
    """As a finished file is separated: with the whole song's statistics and much overlap.

    Attributes:
        tiling: the segments.
        shifts: passes with random delays to average; 0 for one pass without delay.
        finish: what is done to the estimates.
    """

    tiling: OverlapConfig
    shifts: int = 0
    finish: Finish = AS_ESTIMATED
    name: ClassVar[str] = OFFLINE
    latency: ClassVar[int | None] = None

    @property
    def passes(self) -> float:
        """How many times each sample goes through the network."""
        return self.tiling.segment / self.tiling.hop * max(1, self.shifts)

    def facts(self) -> dict[str, Any]:
        """All that the scores depend on, beside the song and the weights."""
        return {"kind": "offline", **asdict(self)}

    def open(self, model: LoadedModel, mixture: Iterable[Tensor]) -> Stream:
        """A stream for one song, at the level that the song has as a whole."""
        found = measure(mixture)
        normalised = NormalisedSeparator(model, found.mean, found.deviation)
        return StreamingSeparator(
            normalised,
            self.tiling,
            shifts=self.shifts,
            device=model.device,
            consistency=self.finish.consistency,
            refinement=self.finish.refinement,
        )


@dataclass(frozen=True, slots=True)
class Live:
    """As a stream is separated: nothing is known of the song but what has come in.

    Attributes:
        name: the preset's name, or one made up for the tiling.
        tiling: the segments.
        finish: what is done to the estimates.
        incremental: whether each hop keeps what the one before has computed, where the network can.
    """

    name: str
    tiling: StreamConfig
    finish: Finish = AS_ESTIMATED
    incremental: bool = False

    @property
    def latency(self) -> int:
        """Samples by which a live stream is late."""
        return self.tiling.latency

    @property
    def passes(self) -> float:
        """How many times each sample goes through the network; an upper bound if incremental."""
        return self.tiling.segment / self.tiling.hop

    def facts(self) -> dict[str, Any]:
        """All that the scores depend on, beside the song and the weights."""
        facts = asdict(self)
        del facts["name"]
        return {"kind": "live", **facts}

    def open(self, model: LoadedModel, mixture: Iterable[Tensor]) -> Stream:
        """A stream for one song; a live one gets no first pass."""
        return StreamingSeparator(
            model,
            self.tiling,
            device=model.device,
            consistency=self.finish.consistency,
            refinement=self.finish.refinement,
            incremental=self.incremental,
        )


@dataclass(frozen=True, slots=True)
class Baseline:
    """Every stem's estimate is the mixture times a gain: what a network must beat.

    Attributes:
        name: what it is called in results.
        gain: 1 for the mixture itself, 0 for silence.
    """

    name: str
    gain: float
    latency: ClassVar[int | None] = None
    passes: ClassVar[float] = 0.0

    def facts(self) -> dict[str, Any]:
        """All that the scores depend on, beside the song."""
        return {"kind": "baseline", "gain": self.gain}

    def open(self, model: LoadedModel, mixture: Iterable[Tensor]) -> Stream:
        """A stream for one song."""
        return _ScaledMixture(len(model.sources), model.channels, self.gain)


MIXTURE = Baseline("mixture", 1.0)
SILENCE = Baseline("silence", 0.0)


class _ScaledMixture:
    def __init__(self, sources: int, channels: int, gain: float) -> None:
        self._nothing = torch.zeros(sources, channels, 0)
        self._gain = gain

    def push(self, block: Tensor) -> Tensor:
        """Take in [C, t]; return [S, C, t]."""
        return (self._gain * block).expand(self._nothing.shape[0], *block.shape)

    def flush(self) -> Tensor:
        """Nothing is kept back."""
        return self._nothing
