"""Hops of nobody's stream: they warm an engine up, and show how long a hop takes."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import torch

from bridge.server.scheduler import Ticket
from streamsep.measuring import Workload

if TYPE_CHECKING:
    from bridge.server.following import Following
    from bridge.server.scheduler import Scheduler
    from streamsep.engine import Separator, StreamConfig

__all__ = ["Trials"]

_LEVEL = 0.1


class Trials:
    """Has noise separated as the scheduler would separate a stream, behind all that is live.

    Args:
        separator: what separates.
        scheduler: who computes.
        following: follows streams hop by hop; None to compute every segment anew.
    """

    def __init__(
        self, separator: Separator, scheduler: Scheduler, following: Following | None
    ) -> None:
        self._separator = separator
        self._scheduler = scheduler
        self._following = following
        self._workloads: dict[StreamConfig, Workload] = {}

    def workload(self, config: StreamConfig) -> Workload:
        """What a hop of a tiling makes the network compute."""
        if config not in self._workloads:
            self._workloads[config] = self._work_of(config)
        return self._workloads[config]

    def time_hops_s(self, config: StreamConfig, hops: int) -> list[float]:
        """Compute some hops of a new stream; the seconds that each took.

        As a stream would see it, from handing in to having it; but beside sessions that play only
        the computing counts, not the waiting for them.
        """
        follower = None if self._following is None else self._following.stream_of(config)
        separate = None if follower is None else partial(follower, hops=1)
        ticket = Ticket()
        took_s = []
        for _ in range(hops):
            mix = _LEVEL * torch.randn(1, self._separator.channels, config.segment)
            started_s = time.monotonic()
            self._scheduler.submit(mix, ticket, started_s, separate).result()
            seen_s = time.monotonic() - started_s
            took_s.append(ticket.took_s[-1] if self._scheduler.is_used else seen_s)
        return took_s

    def _work_of(self, config: StreamConfig) -> Workload:
        if self._following is None or not self._following.follows(config):
            return Workload(segment=config.segment)
        return Workload(
            segment=config.segment,
            hop=config.hop,
            look_ahead=config.look_ahead,
            crossfade=config.crossfade,
        )
