"""How many live streams a device can carry, and whether another one still fits.

A live stream asks for one segment every hop. Two things must hold for all deadlines to be met: the
segments must not take more time than there is, and those that come at the same moment, computed one
after the other, must all be done within each one's budget::

    Σ compute / hop ≤ 0.9          and          Σ compute ≤ the smallest budget

Where several workers compute beside each other, the first sum is shared out among them; of the
second, the longest count, as many as one worker may have to compute.

Offline streams take what is left and are not counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["Capacity", "Demand", "most_sessions", "proposed_budget_s", "time_to_compute_s"]

_MOST_LOAD = 0.9
"""Share of the time that may be planned; the rest is for what cannot be."""

_OVERHEAD_S = 0.007
"""Transport and waking up, whose round trips had tails of five milliseconds, and the fade for which
the client looks ahead."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a live stream needs.

    Attributes:
        compute_s: seconds to compute one of its segments.
        hop_s: seconds from segment to segment.
        budget_s: seconds within which a segment must be done.
    """

    compute_s: float
    hop_s: float
    budget_s: float

    @property
    def load(self) -> float:
        """Share of the time of the worker that computes it."""
        return self.compute_s / self.hop_s


def proposed_budget_s(compute_s: float, hop_s: float) -> float:
    """Seconds that a live stream should leave for computing and transport.

    The smallest of a hop, a half, a quarter and an eighth that holds two computations. The steps
    are coarse so that an engine that starts again and measures a little differently proposes the
    same.
    """
    needed = 2 * compute_s + _OVERHEAD_S
    for divisor in (8, 4, 2):
        if hop_s / divisor >= needed:
            return hop_s / divisor
    return max(hop_s, needed)


def time_to_compute_s(budget_s: float) -> float:
    """What a budget leaves for computing, once the way to the client and its fade are taken off."""
    return max(budget_s - _OVERHEAD_S, budget_s / 2)


def most_sessions(demand: Demand, limit: int, workers: int = 1) -> int:
    """How many live streams that need the same fit together, `limit` at most."""
    capacity = Capacity(workers)
    for number in range(limit):
        if capacity.refusal(demand):
            return number
        capacity.admit(number, demand)
    return limit


class Capacity:
    """The live streams that have been let in.

    Args:
        workers: segments computed beside each other.
        allow_late: let in whoever comes, and compute what can be.
    """

    def __init__(self, workers: int = 1, *, allow_late: bool = False) -> None:
        self._workers = workers
        self._allow_late = allow_late
        self._demands: dict[Hashable, Demand] = {}

    @property
    def load(self) -> float:
        """Share of the device's time that is promised."""
        # A list at once: whoever asks for figures does so while streams come and go.
        return sum(demand.load for demand in list(self._demands.values())) / self._workers

    def refusal(self, demand: Demand) -> str | None:
        """Why another stream does not fit, in a sentence; None if it does."""
        if self._allow_late:
            return None
        own = demand.load / self._workers
        if self.load + own > _MOST_LOAD:
            return (
                f"no room: the session would take {own:.0%} of the device's time, "
                f"{self.load:.0%} is taken, at most {_MOST_LOAD:.0%} can be; end another session "
                "or take a preset with a longer hop"
            )
        everyone = [*self._demands.values(), demand]
        longest_s = sorted((each.compute_s for each in everyone), reverse=True)
        burst_s = sum(longest_s[: math.ceil(len(everyone) / self._workers)]) + _OVERHEAD_S
        shortest_s = min(each.budget_s for each in everyone)
        if burst_s > shortest_s:
            return (
                f"no room: {len(everyone)} sessions can need {1000 * burst_s:.0f} ms at once, the "
                f"smallest budget is {1000 * shortest_s:.0f} ms; end another session or take a "
                "preset with a longer hop"
            )
        return None

    def admit(self, key: Hashable, demand: Demand) -> None:
        """Let a stream in."""
        self._demands[key] = demand

    def release(self, key: Hashable) -> None:
        """A stream is over; nothing happens if it was never let in."""
        self._demands.pop(key, None)
