"""Sixteen live sessions for half an hour: is anything late, does anything grow?

    uv run python benchmarks/engine_soak.py                    # 16 sessions, 30 minutes
    uv run python benchmarks/engine_soak.py --minutes 2

A real server in a process of its own with a separator that costs next to nothing, and players in
other processes that send blocks at the pace of a sound card. Prints, every tenth of the time, the
segments that were late and the server's resident memory, and in the end what was played without
stems: while the sessions were opened, and after that.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil
import torch
import typer
from common import write_results

if TYPE_CHECKING:
    from multiprocessing.queues import Queue
    from multiprocessing.synchronize import Event

    from torch import Tensor

RATE = 44_100
BLOCK = 512
OPENING_S = 5.0
"""Sessions have to be connected before anything can be missed."""


class Light:
    """A separator of a few multiplications."""

    sample_rate = RATE
    channels = 2
    sources = ("drums", "bass", "other", "vocals")
    stride = 2048

    def __call__(self, mix: Tensor) -> Tensor:
        """[B, C, T] -> [B, 4, C, T]."""
        return mix[:, None] * torch.tensor([0.4, 0.3, 0.2, 0.1])[:, None, None]


def serve(folder: Path, ready: Event) -> None:
    """The server."""
    from bridge.run_folder import EngineLock, ipc_endpoints
    from bridge.server import Engine, EngineServer
    from streamsep.config import LatencyPreset

    torch.set_num_threads(1)
    preset = LatencyPreset(
        name="light",
        description="",
        use="",
        context=8192,
        hop=4096,
        look_ahead=2048,
        crossfade=1024,
    )
    lock = EngineLock(folder)
    engine = Engine(
        Light(),
        "light",
        torch.device("cpu"),
        presets={"light": preset},
        preset="light",
        budget_s=0.1,
    )
    EngineServer(engine, [ipc_endpoints(folder)]).run(ready.set)
    lock.release()


def play(folder: Path, sessions: int, seconds: float, results: Queue[tuple[int, int, int]]) -> None:
    """Several players in one process.

    The result, of all together: samples missed while opening and after that, and connections.
    """
    from bridge.client import LiveStemClient

    clients = [
        LiveStemClient(sample_rate=RATE, block=BLOCK, address=f"ipc://{folder}/audio.ipc")
        for _ in range(sessions)
    ]
    block = np.random.default_rng(0).uniform(-0.5, 0.5, (2, BLOCK)).astype(np.float32)
    out = np.empty((4, 2, BLOCK), np.float32)
    started_s, position, at_first = time.monotonic(), 0, 0
    while position < seconds * RATE:
        for client in clients:
            client.process(block, out)
        position += BLOCK
        if position < OPENING_S * RATE:
            at_first = sum(client.counters.missed for client in clients)
        time.sleep(max(0.0, started_s + position / RATE - time.monotonic()))
    missed = sum(client.counters.missed for client in clients)
    connections = sum(client.counters.connections for client in clients)
    for client in clients:
        client.close()
    results.put((at_first, missed - at_first, connections))


def main(sessions: int = 16, minutes: float = 30.0, players: int = 4) -> None:
    """Play, watch, and sum up."""
    from bridge.client import ask_engine

    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "run"
        ready = context.Event()
        server = context.Process(target=serve, args=(folder, ready), daemon=True)
        server.start()
        ready.wait(60)
        results: Queue[tuple[int, int, int]] = context.Queue()
        share = sessions // players
        children = [
            context.Process(target=play, args=(folder, share, 60 * minutes, results))
            for _ in range(players)
        ]
        for child in children:
            child.start()
        assert server.pid is not None
        process = psutil.Process(server.pid)
        memory, late = [], 0
        for _ in range(10):
            time.sleep(6 * minutes)
            state = ask_engine({"request": "status"}, address=f"ipc://{folder}/control.ipc")
            late = sum(each["late_segments"] for each in state["sessions"])
            memory.append(process.memory_info().rss / 2**20)
            print(
                f"{len(state['sessions'])} sessions, {late} late segments, "
                f"{memory[-1]:.1f} MiB, compute p99 {state['compute_ms']['p99']:.1f} ms, "
                f"{process.cpu_percent():.0f} % of a core"
            )
        figures = [results.get() for _ in children]
        for child in children:
            child.join()
        server.kill()
    at_first, missed, connections = (sum(column) for column in zip(*figures, strict=True))
    print(
        f"{at_first} samples without stems while opening, {missed} after that, "
        f"{late} late segments, {connections} connections"
    )
    write_results(
        "engine_soak",
        {
            "sessions": share * players,
            "minutes": minutes,
            "missed_while_opening": at_first,
            "missed": missed,
            "late": late,
            "connections": connections,
            "memory_mib": memory,
        },
    )


if __name__ == "__main__":
    typer.run(main)
