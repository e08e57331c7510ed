"""Separators without a network, each made to show one thing about the engine.

All of them are `Separator`s: stateless, [B, C, T] in, [B, S, C, T] out.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

__all__ = [
    "Broken",
    "FakeSeparator",
    "Gains",
    "PassThrough",
    "Recording",
    "Remembering",
    "SegmentShaped",
    "SegmentSum",
]

STEMS = ("drums", "bass", "other", "vocals")


@dataclass(frozen=True, kw_only=True)
class FakeSeparator:
    """The four facts that every separator states."""

    sample_rate: int = 44_100
    channels: int = 2
    sources: tuple[str, ...] = STEMS
    stride: int = 1

    def __call__(self, mix: Tensor) -> Tensor:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Gains(FakeSeparator):
    """Every stem is the mixture times a gain: linear, and without memory. Ones by default."""

    gains: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)

    def __call__(self, mix: Tensor) -> Tensor:
        return torch.tensor(self.gains)[:, None, None] * mix[:, None]


@dataclass(frozen=True, kw_only=True)
class PassThrough(Gains):
    """The mixture in `other`, silence in the rest."""

    gains: tuple[float, ...] = (0.0, 0.0, 1.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class SegmentShaped(FakeSeparator):
    """Like a network: not linear, and every sample depends on the whole segment and its place."""

    def __call__(self, mix: Tensor) -> Tensor:
        loudness = mix.square().mean((1, 2), keepdim=True).sqrt()
        place = torch.linspace(0.5, 1.0, mix.shape[-1])
        past = mix.cumsum(-1) / mix.shape[-1]
        stems = [torch.tanh((k + 1) * mix * place + past) * loudness for k in range(self.count)]
        return torch.stack(stems, dim=1)

    @property
    def count(self) -> int:
        return len(self.sources)


@dataclass(frozen=True, kw_only=True)
class SegmentSum(FakeSeparator):
    """Every sample of every stem is the sum of the whole segment: it shows what a sample saw."""

    def __call__(self, mix: Tensor) -> Tensor:
        total = mix.sum(-1, keepdim=True).expand_as(mix)
        return total[:, None].expand(-1, len(self.sources), -1, -1)


@dataclass(frozen=True, kw_only=True)
class Broken(FakeSeparator):
    """Answers with values that no loudspeaker should get."""

    value: float = float("nan")

    def __call__(self, mix: Tensor) -> Tensor:
        stems = mix[:, None].repeat(1, len(self.sources), 1, 1)
        stems[..., ::3] = self.value
        return stems


@dataclass(frozen=True, kw_only=True)
class Recording(Gains):
    """Keeps the segments it was given."""

    segments: list[Tensor] = field(default_factory=list)

    def __call__(self, mix: Tensor) -> Tensor:
        self.segments.append(mix.clone())
        return super().__call__(mix)


@dataclass(frozen=True, kw_only=True)
class Remembering(SegmentShaped):
    """Followed, what it makes of a segment depends on how many of the stream came before.

    Attributes:
        lasts: hops until a follower's memory runs out.
        hops: their numbers in their streams, for all streams.
    """

    lasts: int = 1 << 40
    hops: list[int] = field(default_factory=list)

    def follow(self, *, segment: int, hop: int, wanted: slice) -> _Remembers:
        assert segment % self.stride == hop % self.stride == 0
        return _Remembers(self, wanted)


class _Remembers:
    def __init__(self, separator: Remembering, wanted: slice) -> None:
        self.separator = separator
        self.wanted = wanted
        self.heard = 0

    def __call__(self, segment: Tensor, hops: int = 1) -> Tensor:
        self.heard += hops
        self.separator.hops.append(self.heard)
        if self.heard > self.separator.lasts:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.separator(segment)[..., self.wanted] / self.heard

    def reset(self) -> None:
        self.heard = 0
