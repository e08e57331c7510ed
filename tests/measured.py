"""Measurements that nobody has made, for tests of what follows from them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from streamsep.measuring import Machine, Measurement, fingerprint

__all__ = ["MACHINE", "measurement"]

MACHINE = Machine(processor="abacus", cores=2, torch="2.11.0", streamsep="0.1.0")


def measurement(**changed: object) -> Measurement:
    """One that holds, but for what is changed."""
    facts: dict[str, Any] = {
        "machine": MACHINE,
        "device": "cpu",
        "threads": 2,
        "measured": datetime(2025, 1, 1, tzinfo=UTC),
        "model": "net",
        "model_file": "/net.safetensors",
        "member_files": (),
        "preset": "live",
        "sample_rate": 44_100,
        "context": 116_736,
        "hop": 8192,
        "look_ahead": 8192,
        "crossfade": 2048,
        "incremental": True,
        "hops": 50,
        "p50_ms": 80.0,
        "p95_ms": 90.0,
        "p99_ms": 100.0,
        "max_ms": 110.0,
        "rtf": 0.43,
        "memory_mib": 700.0,
        "device_memory_mib": None,
        "others": 0.0,
        "latency_terms": {"block": 256, "network": 16_384, "resampling": 0, "budget": 8192},
        "sessions": 1,
        "playable": True,
    }
    facts |= changed
    files = (facts["model_file"], *facts["member_files"])
    facts.setdefault("fingerprint", fingerprint(map(Path, files)))
    return Measurement.model_validate(facts)
