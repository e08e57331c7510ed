"""What the bridge adds to a bare ZeroMQ round trip.

    uv run python benchmarks/transport.py

2048 stereo samples go up and four stereo stems of 2048 come down, back to back, over an ipc socket
to another process. The peer is pyzmq itself in the same run: a ROUTER that answers as many bytes
with as many. Ours is the real server with a separator that copies, a StemClient, and a network whose
segment is as long as the block, so that every block is answered at once.

Floor: the kernel copies 16 KiB up and 64 KiB down, twice each, which takes some ten microseconds; a
round trip also wakes four sleeping threads, and ours four more (the stream's, the scheduler's, the
stream's again, the socket's).
"""

from __future__ import annotations

import multiprocessing
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import typer
import zmq
from common import write_results

if TYPE_CHECKING:
    from multiprocessing.synchronize import Event

    from torch import Tensor

BLOCK = 2048
UP = 4 * 2 * BLOCK
DOWN = 4 * UP


class Copying:
    """Every stem is the mixture."""

    sample_rate = 44_100
    channels = 2
    sources = ("drums", "bass", "other", "vocals")
    stride = 2048

    def __call__(self, mix: Tensor) -> Tensor:
        """[B, C, T] -> [B, 4, C, T]."""
        return mix[:, None].expand(-1, 4, -1, -1)


def serve_echo(address: str, ready: Event) -> None:
    """Bare pyzmq."""
    socket = zmq.Context.instance().socket(zmq.ROUTER)
    socket.bind(address)
    answer = bytes(DOWN)
    ready.set()
    while True:
        name, header, _ = socket.recv_multipart(copy=False)
        socket.send_multipart([name, header, answer], copy=False)


def serve_engine(folder: Path, ready: Event) -> None:
    """The real server."""
    from bridge.run_folder import EngineLock, ipc_endpoints
    from bridge.server import Engine, EngineServer
    from streamsep.config import LatencyPreset

    torch.set_num_threads(1)
    preset = LatencyPreset(
        name="echo", description="", use="", context=0, hop=2048, look_ahead=0, crossfade=0
    )
    lock = EngineLock(folder)
    engine = Engine(Copying(), "copy", torch.device("cpu"), presets={"echo": preset}, preset="echo")
    EngineServer(engine, [ipc_endpoints(folder)]).run(ready.set)
    lock.release()


def time_echo(address: str, rounds: int) -> list[float]:
    """Seconds of each round trip of bare pyzmq."""
    socket = zmq.Context.instance().socket(zmq.DEALER)
    socket.connect(address)
    header, body = bytes(40), bytes(UP)
    took = []
    for _ in range(rounds):
        started = time.perf_counter()
        socket.send_multipart([header, body])
        socket.recv_multipart()
        took.append(time.perf_counter() - started)
    socket.close(0)
    return took


def time_bridge(folder: Path, rounds: int) -> list[float]:
    """Seconds of each round trip through the engine."""
    from bridge.client import StemClient

    block = np.ones((2, BLOCK), np.float32)
    took = []
    with StemClient(sample_rate=44_100, address=f"ipc://{folder}/audio.ipc") as client:
        # The first block fills the delay line; from then on each block waits for its own stems.
        client.process(block)
        for _ in range(rounds):
            started = time.perf_counter()
            client.process(block)
            took.append(time.perf_counter() - started)
    return took


def main(rounds: int = 3000, turns: int = 3) -> None:
    """Measure both by turns and print the medians, the tails and the ratio."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "run"
        echo = f"ipc://{name}/echo.ipc"
        ready = [context.Event(), context.Event()]
        servers = [
            context.Process(target=serve_echo, args=(echo, ready[0]), daemon=True),
            context.Process(target=serve_engine, args=(folder, ready[1]), daemon=True),
        ]
        for server, up in zip(servers, ready, strict=True):
            server.start()
            up.wait(60)
        results: dict[str, list[float]] = {"pyzmq": [], "bridge": []}
        for _ in range(turns):
            results["pyzmq"] += time_echo(echo, rounds)
            results["bridge"] += time_bridge(folder, rounds)
        for server in servers:
            server.kill()
    summary = {
        name: {
            "median_us": 1e6 * statistics.median(took),
            "p99_us": 1e6 * statistics.quantiles(took, n=100)[98],
        }
        for name, took in results.items()
    }
    ratio = summary["bridge"]["median_us"] / summary["pyzmq"]["median_us"]
    for name, figures in summary.items():
        print(f"{name:7} median {figures['median_us']:6.0f} µs  p99 {figures['p99_us']:6.0f} µs")
    print(f"ratio of the medians {ratio:.2f}")
    write_results("transport", {**summary, "ratio": ratio})


if __name__ == "__main__":
    typer.run(main)
