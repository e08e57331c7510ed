"""What an engine can tell about itself, as plain values."""

from __future__ import annotations

import os
import statistics
import time
from typing import TYPE_CHECKING, Any

import psutil

from streamsep._version import __version__

if TYPE_CHECKING:
    from bridge.server.engine import Engine
    from bridge.server.sessions import ServedSession, SessionTable

__all__ = ["Telemetry"]


class Telemetry:
    """Reads the counters of an engine and its sessions.

    Args:
        engine: the engine.
        sessions: its sessions.
    """

    def __init__(self, engine: Engine, sessions: SessionTable) -> None:
        self._engine = engine
        self._sessions = sessions
        self._started_s = time.monotonic()
        self._process = psutil.Process()

    def snapshot(self) -> dict[str, Any]:
        """Everything at this moment; see docs/protocol.md, "Control"."""
        engine = self._engine
        compute_ms = [1000 * seconds for seconds in list(engine.scheduler.compute_s)]
        return {
            "engine": f"streamsep {__version__}",
            "pid": os.getpid(),
            "uptime_s": round(time.monotonic() - self._started_s, 3),
            "model": engine.model,
            "device": str(engine.scheduler.device),
            "preset": engine.preset,
            "load": round(engine.capacity.load, 4),
            "memory_mib": round(self._process.memory_info().rss / 2**20, 1),
            "waiting_segments": engine.scheduler.waiting,
            "compute_ms": {
                "p50": _percentile(compute_ms, 50),
                "p95": _percentile(compute_ms, 95),
                "p99": _percentile(compute_ms, 99),
            },
            "opened": self._sessions.opened,
            "refused": self._sessions.refused,
            "broken": self._sessions.broken,
            "sessions": [_describe(session) for session in self._sessions],
        }


def _describe(session: ServedSession) -> dict[str, Any]:
    welcome, hello, worker = session.welcome, session.hello, session.worker
    demand = session.offer.demand
    return {
        "stream": f"{welcome.stream:08x}",
        "client": hello.client,
        "mode": str(hello.mode),
        "sample_rate": hello.sample_rate,
        "channels": hello.channels,
        "preset": welcome.preset,
        "consistency": welcome.consistency,
        "stems": list(welcome.stems),
        "latency": welcome.latency,
        "rtf": round(demand.load, 4) if demand is not None else None,
        "position": session.protocol.audio_position,
        "queued_blocks": worker.queued,
        "unanswered": session.protocol.unanswered,
        "late_segments": worker.late_segments,
        "bypass": worker.bypass,
        "gains_db": worker.gains.describe(),
    }


def _percentile(values: list[float], percent: int) -> float | None:
    """A percentile of values; None if there are none."""
    if len(values) < 2:
        return round(values[0], 3) if values else None
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return round(cuts[percent - 1], 3)
