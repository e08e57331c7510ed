"""What an engine offers to a session, and the error that says why it offers nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from bridge.server.capacity import Demand
    from streamsep.engine.consistency import ConsistencyName

__all__ = ["LEAST_FADE", "LOWEST_RATE", "Offer", "OfferRefusedError"]

LEAST_FADE = 64
"""Samples over which a live session's preset must fade, so that a late segment can be hidden."""

LOWEST_RATE = 4_000
"""Samples per second of a session. Nobody plays at fewer, and a block of them is a long song."""


class OfferRefusedError(ConfigError):
    """A session that the engine does not take.

    Attributes:
        for_lack_of_room: it could later; otherwise it never will.
    """

    def __init__(self, message: str, *, for_lack_of_room: bool = False) -> None:
        super().__init__(message)
        self.for_lack_of_room = for_lack_of_room


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a session would get.

    Attributes:
        preset: name of the latency preset.
        consistency: how stems are made to sum to the mixture.
        budget: samples of time for computing and transport, at the session's rate; 0 offline.
        demand: what it takes of the device; None offline.
        hop_s: seconds from segment to segment.
    """

    preset: str
    consistency: ConsistencyName
    budget: int
    demand: Demand | None
    hop_s: float
