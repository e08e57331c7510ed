"""Half a minute of playing in the shortest blocks, while it is watched: nothing is lost by us.

The half hour, with a real network, is benchmarks/live_soak.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import psutil
from hall import playing_hall
from jack_server import running_server
from loop_rig import RATE, loop_between, noise, run_for, run_until_playing

from bridge.mixing import Route

if TYPE_CHECKING:
    from pathlib import Path

    from engine_process import EngineProcess

PERIOD = 256
PARTS, PART_S = 4, 7.5
SIGNAL = noise(3.0)
MOST_GROWTH = 8 * 2**20
"""Bytes; a leak of one block per callback would be four times that."""


def test_half_a_minute_is_exact_in_constant_memory_and_never_too_slow(
    passing_engine: EngineProcess, tmp_path: Path
) -> None:
    routes = (Route("mix", (0, 1)), Route("dry", (2, 3)))
    with (
        running_server(PERIOD),
        playing_hall(tmp_path / "hall", SIGNAL, heard_channels=4) as hall,
        loop_between(passing_engine, routes=routes) as loop,
    ):
        run_until_playing(loop)
        latency, pid = loop.status.latency, loop.child_pid
        assert latency == sum(loop.status.playing.latency_terms.values())  # type: ignore[union-attr]
        audio = psutil.Process(pid)
        memory = []
        for _ in range(PARTS):
            hall.play()
            run_for(loop, PART_S)
            heard = hall.hear()
            memory.append(audio.memory_info().rss)
            played = SIGNAL.take(range(heard.samples.shape[-1] - latency), axis=1, mode="wrap")
            assert played.shape[-1] > RATE
            assert heard.holes == 0
            for outputs in (heard.samples[:2], heard.samples[2:]):
                assert np.array_equal(outputs[:, latency:], played)
        counts = loop.status.counts
        assert (loop.status.latency, loop.child_pid) == (latency, pid)
    assert {name: counts[name] for name in ("slow", "missed", "gaps", "late")} == {
        "slow": 0, "missed": 0, "gaps": 0, "late": 0,
    }  # fmt: skip
    assert counts["samples"] > PARTS * PART_S * RATE / 2
    assert memory[-1] - memory[0] < MOST_GROWTH, memory
