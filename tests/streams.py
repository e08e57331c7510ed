"""Signals, cuts and configurations that the tests of streams share."""

from __future__ import annotations

from itertools import chain, repeat
from typing import TYPE_CHECKING, Protocol

import torch
from hypothesis import strategies as st
from torch import Tensor

from streamsep import engine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = [
    "CHANNELS",
    "CONFIGS",
    "RATES",
    "blocks",
    "collect",
    "cuts",
    "feed",
    "noise",
    "one_push",
]

RATES = (44_100, 48_000, 96_000)
CHANNELS = (1, 2, 6)

CONFIGS = {
    "stream": engine.StreamConfig(context=96, hop=32, look_ahead=48, crossfade=24),
    "stream without future": engine.StreamConfig(context=64, hop=48, look_ahead=0),
    "stream without past": engine.StreamConfig(context=0, hop=40, look_ahead=40, crossfade=40),
    "files": engine.OverlapConfig(segment=128),
    "files with much overlap": engine.OverlapConfig(segment=101, overlap=0.6, transition_power=2),
    "files without overlap": engine.OverlapConfig(segment=50, overlap=0.0),
}

# Sizes of blocks, repeated until the signal ends; some of them must not be empty.
cuts = st.lists(st.integers(0, 700), min_size=1, max_size=12).filter(any)


class Stream(Protocol):
    """What pushes and flushes: a streaming or a fixed-latency separator."""

    def push(self, block: Tensor) -> Tensor: ...

    def flush(self) -> Tensor: ...


def noise(channels: int, length: int, seed: int = 0, level: float = 0.3) -> Tensor:
    """White noise [C, T] with the given deviation."""
    return level * torch.randn(channels, length, generator=torch.Generator().manual_seed(seed))


def blocks(signal: Tensor, sizes: Iterable[int]) -> Iterator[Tensor]:
    """Cut a signal into blocks of the given sizes; the last one takes what is left."""
    position = 0
    for size in sizes:
        if position >= signal.shape[-1]:
            return
        yield signal[..., position : position + size]
        position += size
    yield signal[..., position:]


def collect(stream: Stream, signal: Tensor, sizes: Sequence[int]) -> list[Tensor]:
    """What every push gives, the sizes repeated until the signal ends."""
    return [stream.push(block) for block in blocks(signal, chain.from_iterable(repeat(sizes)))]


def feed(stream: Stream, signal: Tensor, sizes: Sequence[int]) -> Tensor:
    """Everything a stream gives for a signal, flushed."""
    return torch.cat([*collect(stream, signal, sizes), stream.flush()], dim=-1)


def one_push(stream: Stream, signal: Tensor) -> Tensor:
    """Everything a stream gives for a signal that comes in one piece, flushed."""
    return torch.cat([stream.push(signal), stream.flush()], dim=-1)
