"""What all networks have in common: the audio they are for, and how they state it.

A network is a `Separator`: it names its sample rate, channels, sources and stride, and maps
[B, C, T] to [B, S, C, T] for any T from 1. Two lengths say what its layers do with time. Moving a
segment by a multiple of the *stride* moves the estimate with it, any other shift changes it. And
each step of the innermost layer is made of `minimum_segment` samples: shorter segments are taken,
but what that layer sees of them is mostly the zeros that complete them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from torch import Tensor, nn

from streamsep.errors import ConfigError
from streamsep.models.stem_names import check_stem_names

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "NetworkConfig",
    "SeparationNetwork",
    "centre_pad",
    "centre_trim",
    "check_least",
    "part_of",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig:
    """The audio that a network is for. Every network adds its own options.

    Attributes:
        sources: names of the stems, in order, see `check_stem_names`.
        audio_channels: channels of the audio.
        sample_rate: samples per second of the audio the network is trained on.

    Raises:
        ConfigError: a value is out of its range.
    """

    sources: tuple[str, ...] = ("drums", "bass", "other", "vocals")
    audio_channels: int = 2
    sample_rate: int = 44_100

    def __post_init__(self) -> None:
        check_stem_names(self.sources)
        check_least(self, {"audio_channels": 1, "sample_rate": 1})


C = TypeVar("C", bound=NetworkConfig)


class SeparationNetwork(nn.Module, Generic[C]):
    """A network that keeps its configuration and states from it what a `Separator` states.

    Args:
        config: the shape of the network.
    """

    def __init__(self, config: C) -> None:
        super().__init__()
        self.config = config

    @property
    def sample_rate(self) -> int:
        """Samples per second that the network expects."""
        return self.config.sample_rate

    @property
    def channels(self) -> int:
        """Audio channels that the network expects."""
        return self.config.audio_channels

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the stems, in the order of the output."""
        return self.config.sources

    @property
    def stride(self) -> int:
        """Samples by which a segment can move without changing how the network sees it."""
        raise NotImplementedError

    @property
    def minimum_segment(self) -> int:
        """Samples of which a step of the innermost layer is made, in whole strides."""
        return math.ceil(self._samples_per_step() / self.stride) * self.stride

    def _samples_per_step(self) -> int:
        """Samples of which a step of the innermost layer is made."""
        raise NotImplementedError

    def _as_stems(self, flat: Tensor) -> Tensor:
        """From [B, S·C, T] to [B, S, C, T]."""
        return flat.reshape(flat.shape[0], len(self.sources), self.channels, flat.shape[-1])


def check_least(config: object, least: Mapping[str, float]) -> None:
    """Check that options of a configuration are not too small.

    Args:
        config: the configuration.
        least: the smallest value allowed, by the option's name.

    Raises:
        ConfigError: an option is below its smallest value.
    """
    for name, smallest in least.items():
        value = getattr(config, name)
        if value < smallest:
            raise ConfigError(f"{name} must be at least {smallest}, got {value}")


def centre_pad(x: Tensor, length: int) -> Tensor:
    """Zeros on both sides of x [..., T] up to `length` steps, at least T; an odd one comes last."""
    missing = length - x.shape[-1]
    return nn.functional.pad(x, (missing // 2, missing - missing // 2))


def part_of(x: Tensor, start: int, length: int) -> Tensor:
    """The steps of x [..., T] from `start`, which may be negative; zeros where there are none."""
    before, after = max(0, -start), max(0, start + length - x.shape[-1])
    inside = x[..., max(0, start) : max(0, start + length)]
    return nn.functional.pad(inside, (min(before, length), min(after, length)))


def centre_trim(x: Tensor, length: int) -> Tensor:
    """The middle `length` steps of x [..., T], at most T; an odd one goes from the end."""
    start = (x.shape[-1] - length) // 2
    assert start >= 0, f"{x.shape[-1]} steps cannot be trimmed to {length}"
    return x[..., start : start + length]
