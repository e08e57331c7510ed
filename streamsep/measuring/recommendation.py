"""Which preset to take: of those that hold, the one with the least latency."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamsep.measuring.measurement import Measurement

__all__ = ["recommended", "recommended_of_each"]


def recommended(measurements: Iterable[Measurement]) -> Measurement | None:
    """The one to take, or None if none holds. Of equal latencies the one with less work."""
    able = [each for each in measurements if each.holds]
    return min(able, key=lambda each: (each.latency_ms, each.rtf), default=None)


def recommended_of_each(measurements: Iterable[Measurement]) -> dict[str, Measurement | None]:
    """The one to take of each network, by the network's name, in the order that they come in."""
    of_model: dict[str, list[Measurement]] = {}
    for each in measurements:
        of_model.setdefault(each.model, []).append(each)
    return {model: recommended(several) for model, several in of_model.items()}
