"""Stems from a network in this process, for `StemPlugin`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from streamsep.config import load_preset
from streamsep.devices.following import follows_streams
from streamsep.engine import (
    DeviceSeparator,
    FixedLatencySeparator,
    StreamConfig,
    StreamingSeparator,
)
from streamsep.models import load_model

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from streamsep.engine import ConsistencyName, Separator

    Samples = NDArray[np.float32]

__all__ = ["LocalLine", "local_lines"]


class LocalLine:
    """A `StemLine` around a stream in this process.

    Args:
        stream: it belongs to this object from now on.
    """

    def __init__(self, stream: StreamingSeparator) -> None:
        self.stems = stream.sources
        self._stream = FixedLatencySeparator(stream)

    @property
    def latency(self) -> int:
        """Samples between an input sample and the output that depends on it."""
        return self._stream.latency

    def process(self, block: Samples) -> Samples:
        """Take in a block [C, t]; give back stems [S, C, t]."""
        return self._stream.push(torch.from_numpy(block)).numpy()

    def flush(self) -> Samples:
        """Give back the last stems [S, C, latency]; be as new."""
        return self._stream.flush().numpy()

    def reset(self) -> None:
        """Drop the stream; be as new."""
        self._stream.reset()

    def close(self) -> None:
        """Nothing is open."""


def local_lines(
    model: Separator | str | Path,
    *,
    preset: str,
    device: str,
    consistency: ConsistencyName,
    incremental: bool | None = None,
) -> Callable[[int, int], LocalLine]:
    """What opens a line for a sample rate and a channel count; all lines share the network.

    Args:
        model: a network, or a name or path for `streamsep.load_separator`.
        preset: a name from `streamsep presets` or the path of a YAML file.
        device: where the network computes.
        consistency: what becomes of the difference between the mixture and the stems' sum.
        incremental: whether hops keep what the one before has computed, where the network can;
            None for what engines do by themselves: on the processor.

    Raises:
        StreamSepError: the network or the preset cannot be used.
    """
    followed = follows_streams(device, incremental)
    if isinstance(model, str | Path):
        # Tuned: faster, and with no other weights beside those that followers compute with.
        network: Separator = load_model(model, device=device, precision="float32")
    else:
        network = model
    tiling = StreamConfig.from_preset(load_preset(preset)).fitted_to(network)
    there = DeviceSeparator(network, device, largest_batch=1)
    there.prepare(tiling.segment)

    def open_line(sample_rate: int, channels: int) -> LocalLine:
        stream = StreamingSeparator(
            there,
            tiling,
            sample_rate=sample_rate,
            channels=channels,
            consistency=consistency,
            incremental=followed,
        )
        return LocalLine(stream)

    return open_line
