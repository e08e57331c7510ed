"""How a live loop is doing, over all the children that it has had."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bridge.live.reports import Measured, Playing

__all__ = ["LivePhase", "LiveStatus"]

_COUNTED = (
    "samples",
    "xruns",
    "lost",
    "slow",
    "missed",
    "gaps",
    "late",
    "substituted",
    "connections",
)


class LivePhase(StrEnum):
    """What a loop is at."""

    STARTING = "starting"
    WAITING = "waiting"
    PLAYING = "playing"
    CLOSED = "closed"


@dataclass(slots=True)
class LiveStatus:
    """What there is to know.

    Attributes:
        phase: what it is at.
        text: what it is waiting for.
        playing: device, rate, latency and network, as of the last start; None before the first.
        measured: the last report; None before the first.
        restarts: how often the device has gone and another child was started.
        engine_starts: how often this loop has started an engine.
        finished: counts of the children that have ended.
    """

    phase: LivePhase = LivePhase.STARTING
    text: str = ""
    playing: Playing | None = None
    measured: Measured | None = None
    restarts: int = 0
    engine_starts: int = 0
    finished: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_COUNTED, 0))

    @property
    def latency(self) -> int:
        """Samples from the interface's input to its output; 0 before the first start."""
        return sum(self.playing.latency_terms.values()) if self.playing else 0

    @property
    def counts(self) -> dict[str, int]:
        """Of all children: see `Measured`."""
        now = self.measured
        return {
            name: ended + (getattr(now, name) if now else 0)
            for name, ended in self.finished.items()
        }

    def child_ended(self) -> None:
        """Keep the counts of a child that will report no more."""
        self.finished = self.counts
        self.measured = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        playing = dataclasses.asdict(self.playing) if self.playing else None
        measured = self.measured
        return {
            "phase": str(self.phase),
            "text": self.text,
            "latency": self.latency,
            **(playing or {}),
            "engine": measured.engine if measured else None,
            "load": measured.load if measured else None,
            "input_peak": measured.input_peak if measured else None,
            "stem_peaks": measured.stem_peaks if measured else None,
            "output_peaks": measured.output_peaks if measured else None,
            "recording": measured.recording if measured else "",
            "restarts": self.restarts,
            "engine_starts": self.engine_starts,
            **self.counts,
        }
