"""What the bridge adds to a bare ZeroMQ round trip.

    uv run python benchmarks/transport.py

2048 stereo samples go up and four stereo stems of 2048 come down, back to back, over an ipc socket
to another process:

pyzmq      the peer: a ROUTER that answers as many bytes with as many
transport  our protocol, sessions and client, with a stream that answers at once
engine     the real thing: a thread for the stream, overlap-add, the scheduler's thread, and a
           separator that copies, with segments as long as the block

Floor: the kernel copies 16 KiB up and 64 KiB down, twice each, which takes some ten microseconds; a
round trip also wakes two sleeping processes, and the engine's four more threads (the stream's, the
scheduler's, the stream's again, the socket's).
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

from bridge.client import StemClient
from bridge.run_folder import EngineLock, ipc_endpoints
from bridge.server import Engine, EngineServer
from bridge.server.offers import Offer
from bridge.server.stream_worker import Finished, StreamWorker
from streamsep.config import LatencyPreset

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.synchronize import Event

    from numpy.typing import NDArray
    from torch import Tensor

    from bridge.protocol import Hello

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
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.ROUTER)
    socket.bind(address)
    answer = bytes(DOWN)
    ready.set()
    while True:
        name, header, _ = socket.recv_multipart(copy=False)
        socket.send_multipart([name, header, answer], copy=False)


class AnsweringStream(StreamWorker):
    """Gives back the mixture four times, in the thread that asks; nothing of a worker is made."""

    latency_terms = (0, 0)
    busy = False

    def __init__(self, deliver: Callable[[Finished], None]) -> None:
        self._deliver = deliver
        self._epoch = 0

    def push(self, samples: NDArray[np.float32], arrived_s: float) -> None:
        """Answer a block."""
        self._deliver(Finished(self._epoch, np.broadcast_to(samples, (4, *samples.shape))))

    def flush(self, arrived_s: float) -> None:
        """Nothing is kept."""
        self._deliver(Finished(self._epoch, end=True))

    def reset(self, epoch: int) -> None:
        """Another stream."""
        self._epoch = epoch


class AnsweringEngine(Engine):
    """What the sessions need of an engine, of which nothing is made."""

    sources = Copying.sources

    def __init__(self) -> None:
        self.model = "answers"

    def is_ready_for(self, hello: Hello) -> bool:
        """For whoever comes."""
        return True

    def get_ready_for(self, hello: Hello) -> None:
        """Nothing to be done."""

    def offer(self, hello: Hello) -> Offer:
        """Anything for everybody."""
        return Offer(preset="none", consistency="off", budget=0, demand=None, hop_s=1.0)

    def open_stream(
        self, offer: Offer, hello: Hello, deliver: Callable[[Finished], None]
    ) -> AnsweringStream:
        """A stream that answers at once."""
        return AnsweringStream(deliver)

    def close_stream(self, worker: StreamWorker) -> None:
        """Nothing to be done."""

    def stop(self) -> None:
        """Nothing to be done."""


def serve_transport(folder: Path, ready: Event) -> None:
    """The server without its engine."""
    lock = EngineLock(folder)
    server = EngineServer(AnsweringEngine(), [ipc_endpoints(folder)])
    server.run(ready.set)
    lock.release()


def serve_engine(folder: Path, ready: Event) -> None:
    """The real server."""
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
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
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
        base = Path(name)
        echo = f"ipc://{base}/echo.ipc"
        servers = []
        for serve, place in (
            (serve_echo, echo),
            (serve_transport, base / "transport"),
            (serve_engine, base / "engine"),
        ):
            ready = context.Event()
            servers.append(context.Process(target=serve, args=(place, ready), daemon=True))
            servers[-1].start()
            ready.wait(60)
        results: dict[str, list[float]] = {"pyzmq": [], "transport": [], "engine": []}
        for _ in range(turns):
            results["pyzmq"] += time_echo(echo, rounds)
            results["transport"] += time_bridge(base / "transport", rounds)
            results["engine"] += time_bridge(base / "engine", rounds)
        for server in servers:
            server.kill()
    summary = {
        name: {
            "median_us": 1e6 * statistics.median(took),
            "p99_us": 1e6 * statistics.quantiles(took, n=100)[98],
        }
        for name, took in results.items()
    }
    bare_us = summary["pyzmq"]["median_us"]
    for name, figures in summary.items():
        figures["ratio"] = figures["median_us"] / bare_us
        print(
            f"{name:9} median {figures['median_us']:6.0f} µs  p99 {figures['p99_us']:6.0f} µs  "
            f"{figures['ratio']:.2f} × pyzmq"
        )
    write_results("transport", summary)


if __name__ == "__main__":
    typer.run(main)
