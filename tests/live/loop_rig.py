"""A live loop in a test: polled while the test waits for something."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from bridge.live.engine_keeper import EngineKeeper
from bridge.live.status import LivePhase
from bridge.live.supervisor import LiveLoop
from bridge.live.task import AudioTask
from bridge.run_folder import ipc_endpoints

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine_process import EngineProcess

RATE = 44_100


def noise(seconds: float, channels: int = 2, seed: int = 1) -> np.ndarray:
    """Noise [C, T] that no limiter touches."""
    random = np.random.default_rng(seed)
    return random.uniform(-0.5, 0.5, (channels, int(seconds * RATE))).astype(np.float32)


def loop_between(engine: EngineProcess, **changes: object) -> LiveLoop:
    """A loop from the client `player` to the client `recorder`, bit-exact if the engine is."""
    options: dict[str, object] = {
        "input": "player",
        "output": "recorder",
        "address": engine.address,
        "consistency": "other",
    }
    task = AudioTask(**{**options, **changes})  # type: ignore[arg-type]
    return LiveLoop(task, EngineKeeper(ipc_endpoints(engine.folder)))


def run_for(loop: LiveLoop, seconds: float) -> list[str]:
    """Let it play; what was new."""
    return loop.poll(seconds)


def run_until(
    loop: LiveLoop, condition: Callable[[], bool], what: str, at_most_s: float = 60.0
) -> float:
    """Let it play until something holds; the seconds it took."""
    began_s = time.monotonic()
    while not condition():
        waited_s = time.monotonic() - began_s
        assert waited_s < at_most_s, f"still not after {at_most_s} s: {what}; {loop.status}"
        loop.poll(0.02)
    return time.monotonic() - began_s


def run_until_playing(loop: LiveLoop, at_most_s: float = 60.0) -> float:
    """Let it come to play, with stems."""

    def streams() -> bool:
        status = loop.status
        return (
            status.phase is LivePhase.PLAYING
            and status.measured is not None
            and status.measured.engine == "streaming"
        )

    return run_until(loop, streams, "playing", at_most_s)


def assert_late_by(latency: int, heard: np.ndarray, signal: np.ndarray) -> None:
    """What was heard is silence and then, bit for bit, the signal."""
    length = heard.shape[-1] - latency
    assert length > RATE
    assert not heard[:, :latency].any()
    assert np.array_equal(heard[:, latency:], signal.take(range(length), axis=1, mode="wrap"))
