"""The clock: how long a network takes for one hop of a live stream.

A stream is fed hop by hop, without waiting for the time at which they would come. The look-ahead
fills first; the first segment, which finds nothing to build on, and a few hops after it, which find
caches and memory cold, are separated before the clock counts.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from streamsep.engine import StreamingSeparator
from streamsep.engine.separator import follow, hops_at_once

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamsep.engine import Separator, StreamConfig
    from streamsep.engine.separator import SegmentFollower

__all__ = ["LEAST_HOPS", "WARM_UP_HOPS", "HopTimes", "measure_hops"]

WARM_UP_HOPS = 5
"""Hops after the look-ahead that are separated before the clock counts."""

LEAST_HOPS = 10
"""So many are timed however long they take."""

_LEVEL = 0.1


@dataclass(frozen=True, slots=True)
class HopTimes:
    """How long hops took.

    Attributes:
        seconds: of each one, in their order.
        hop_s: how long one lasts.
        incremental: whether each kept what the one before had computed.
        at_once: how many an engine would compute beside each other.
    """

    seconds: tuple[float, ...]
    hop_s: float
    incremental: bool
    at_once: int = 1

    @property
    def rtf(self) -> float:
        """Time to compute all of them over the time that they last."""
        return float(np.mean(self.seconds)) / self.hop_s

    def percentile_s(self, percent: float) -> float:
        """So many per cent of them took no longer, seconds; 50 is the median."""
        return float(np.percentile(self.seconds, percent))


def measure_hops(
    separator: Separator,
    config: StreamConfig,
    *,
    device: str | torch.device,
    incremental: bool,
    seconds: float,
    done: Callable[[float], None] = lambda _: None,
) -> HopTimes:
    """Stream noise through a separator and time every hop.

    Args:
        separator: what separates, on its device.
        config: the tiling, on the separator's grid.
        device: where it computes.
        incremental: keep from hop to hop what the separator can keep.
        seconds: of computing that are timed, and at least `LEAST_HOPS` hops.
        done: called after every hop with the share of the seconds that have passed, 0 to 1.

    Raises:
        ConfigError: the tiling does not fit the separator.
    """
    stream = StreamingSeparator(separator, config, device=device, incremental=incremental)
    generator = torch.Generator().manual_seed(0)

    def noise(length: int) -> torch.Tensor:
        return _LEVEL * torch.randn(separator.channels, length, generator=generator)

    def time_a_hop() -> float:
        block = noise(config.hop)
        started_s = time.perf_counter()
        stems = stream.push(block)  # they are on the processor, so the device has finished
        elapsed_s = time.perf_counter() - started_s
        assert stems.shape[-1] == config.hop, "a hop that comes in completes one segment"
        return elapsed_s

    stream.push(noise(config.look_ahead))
    for _ in range(WARM_UP_HOPS):
        time_a_hop()
    took_s: list[float] = []
    while len(took_s) < LEAST_HOPS or sum(took_s) < seconds:
        took_s.append(time_a_hop())
        done(min(1.0, sum(took_s) / seconds, len(took_s) / LEAST_HOPS))
    follower = _follower(separator, config) if incremental else None
    return HopTimes(
        seconds=tuple(took_s),
        hop_s=config.hop / separator.sample_rate,
        incremental=follower is not None,
        at_once=hops_at_once(follower, torch.get_num_threads()),
    )


def _follower(separator: Separator, config: StreamConfig) -> SegmentFollower | None:
    wanted = config.tiling(separator.stride).weighted
    return follow(separator, segment=config.segment, hop=config.hop, wanted=wanted)
