"""Sixteen live sessions for half an hour: is anything late, does anything grow?

    uv run python benchmarks/engine_soak.py                    # 16 sessions, 30 minutes
    uv run python benchmarks/engine_soak.py --minutes 2
    uv run python benchmarks/engine_soak.py --sessions 1 --minutes 10 \
        --model hdemucs_mmi --preset lean --precision bfloat16

A real server in a process of its own, and players in other processes that send blocks at the pace
of a sound card. The separator costs next to nothing, unless a model is named: then it is
`streamsep serve` that serves. Prints, every tenth of the time, the
segments that were late and the server's resident memory, and in the end what was played without
stems: while the sessions were opened, and after that, with the moments when it happened and how
late the players themselves had woken up. A machine that stands still makes everybody late: where
this user may have real-time priority, a watch (`machine_watch.py`) says for how long it did.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import torch
import typer
from common import write_results
from machine_watch import watching

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.queues import Queue
    from multiprocessing.synchronize import Event

    from machine_watch import MachineWatch
    from torch import Tensor

RATE = 44_100
BLOCK = 512
OPENING_S = 5
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


@contextlib.contextmanager
def light_server(folder: Path) -> Iterator[int]:
    """Serve the light separator, with its sockets in a folder; gives the number of the process."""
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    server = context.Process(target=serve_light, args=(folder, ready), daemon=True)
    server.start()
    ready.wait(60)
    assert server.pid is not None
    try:
        yield server.pid
    finally:
        server.kill()


@contextlib.contextmanager
def network_server(
    folder: Path, model: str, preset: str, precision: str, budget_ms: float | None
) -> Iterator[int]:
    """Serve a network as users do; as `light_server`."""
    command = [sys.executable, "-m", "streamsep", "serve", "--model", model]
    command += ["--preset", preset, "--precision", precision]
    if budget_ms is not None:
        command += ["--budget-ms", str(budget_ms)]
    environment = os.environ | {"XDG_RUNTIME_DIR": str(folder.parent)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        if not any(line.startswith("READY") for line in server.stdout):
            raise typer.Exit(server.wait())
        try:
            yield server.pid
        finally:
            server.terminate()


def serve_light(folder: Path, ready: Event) -> None:
    """The server with the light separator."""
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


@dataclass
class Played:
    """What several players in one process heard, all together.

    Attributes:
        while_opening: samples without stems in the first seconds.
        missed: samples without stems after that.
        moments: when some were missed: the end of that second (`time.monotonic`), the samples, and
            by how many milliseconds the players had woken up too late within the second before.
        worst_ms: the latest that the players ever woke up.
        connections: sessions opened.
    """

    while_opening: int = 0
    missed: int = 0
    moments: list[tuple[float, int, float]] = field(default_factory=list)
    worst_ms: float = 0.0
    connections: int = 0


def play(folder: Path, sessions: int, seconds: float, results: Queue[Played]) -> None:
    """Several players in one process."""
    from bridge.client import LiveStemClient

    clients = [
        LiveStemClient(sample_rate=RATE, block=BLOCK, address=f"ipc://{folder}/audio.ipc")
        for _ in range(sessions)
    ]
    block = np.random.default_rng(0).uniform(-0.5, 0.5, (2, BLOCK)).astype(np.float32)
    out = np.empty((4, 2, BLOCK), np.float32)
    played = Played()
    started_s, position, missed = time.monotonic(), 0, 0
    second, latest_ms = 0, [0.0, 0.0]
    while position < seconds * RATE:
        for client in clients:
            client.process(block, out)
        position += BLOCK
        due_s = started_s + position / RATE
        time.sleep(max(0.0, due_s - time.monotonic()))
        latest_ms[-1] = max(latest_ms[-1], 1000 * (time.monotonic() - due_s))
        if position // RATE == second:
            continue
        second = position // RATE
        missed, before = sum(client.counters.missed for client in clients), missed
        if second <= OPENING_S:
            played.while_opening = missed
        else:
            played.worst_ms = max(played.worst_ms, latest_ms[-1])
            if missed > before:
                played.moments.append((time.monotonic(), missed - before, max(latest_ms)))
        latest_ms = [latest_ms[-1], 0.0]
    played.missed = missed - played.while_opening
    played.connections = sum(client.counters.connections for client in clients)
    for client in clients:
        client.close()
    results.put(played)


def _moments(
    heard: Sequence[Played], started_s: float, watch: MachineWatch | None
) -> list[dict[str, Any]]:
    """When something was missed, and how long the machine stood still in the two seconds before."""
    return [
        {
            "second": round(ended_s - started_s, 1),
            "samples": samples,
            "player_late_ms": round(late_ms),
            "machine_lost_ms": watch and round(1e3 * watch.lost_s(ended_s - 2, ended_s)),
        }
        for each in heard
        for ended_s, samples, late_ms in each.moments
    ]


def _stolen_s() -> float:
    """Processor time that the host of a virtual machine took for others, where that is told."""
    return float(getattr(psutil.cpu_times(), "steal", 0.0))


def main(
    sessions: int = 16,
    minutes: float = 30.0,
    players: int = 4,
    model: str | None = None,
    preset: str = "live",
    precision: str = "float32",
    budget_ms: float | None = None,
) -> None:
    """Play, watch, and sum up; preset, precision and budget are for a model."""
    from bridge.client import ask_engine

    context = multiprocessing.get_context("spawn")
    players = min(players, sessions)
    share = sessions // players
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "streamsep"
        watch = stack.enter_context(watching())
        server = (
            light_server(folder)
            if model is None
            else network_server(folder, model, preset, precision, budget_ms)
        )
        process = psutil.Process(stack.enter_context(server))
        results: Queue[Played] = context.Queue()
        children = [
            context.Process(target=play, args=(folder, share, 60 * minutes, results))
            for _ in range(players)
        ]
        for child in children:
            child.start()
        memory, late, started_s = [], 0, time.monotonic()
        stolen_s = _stolen_s()
        for _ in range(10):
            time.sleep(6 * minutes)
            state = ask_engine({"request": "status"}, address=f"ipc://{folder}/control.ipc")
            late = sum(each["late_segments"] for each in state["sessions"])
            memory.append(process.memory_info().rss / 2**20)
            compute = state["compute_ms"]
            print(
                f"{len(state['sessions'])} sessions, {late} late segments, {memory[-1]:.1f} MiB, "
                f"compute p50 {compute['p50']:.1f} and p99 {compute['p99']:.1f} ms, "
                f"{process.cpu_percent():.0f} % of a core"
            )
        latency, rtf = (state["sessions"][0][each] for each in ("latency", "rtf"))
        heard = [results.get() for _ in children]
        for child in children:
            child.join()
        stolen_s = _stolen_s() - stolen_s
        moments = _moments(heard, started_s, watch)
        lost_s = watch and watch.lost_s(started_s, time.monotonic())
    for moment in moments:
        print(f"  {moment}")
    totals = {
        name: sum(getattr(each, name) for each in heard)
        for name in ("while_opening", "missed", "connections")
    }
    worst_ms = max(each.worst_ms for each in heard)
    print(
        f"{totals['while_opening']} samples without stems while opening, {totals['missed']} after "
        f"that, {late} late segments, {totals['connections']} connections; "
        f"players were late by {worst_ms:.0f} ms at worst"
    )
    print(f"latency {latency} samples ({1000 * latency / RATE:.0f} ms), RTF {rtf:.2f}")
    stood = "nobody watched" if lost_s is None else f"they stood still for {lost_s:.2f} s"
    print(f"the host took {stolen_s:.1f} s of the processors; {stood}")
    write_results(
        "engine_soak",
        {
            "sessions": share * players,
            "model": model,
            "preset": preset if model else None,
            "precision": precision if model else None,
            "latency": latency,
            "rtf": rtf,
            "minutes": minutes,
            **totals,
            "late": late,
            "player_worst_ms": worst_ms,
            "moments": moments,
            "stolen_s": stolen_s,
            "stood_still_s": lost_s,
            "memory_mib": memory,
        },
    )


if __name__ == "__main__":
    typer.run(main)
