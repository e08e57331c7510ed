"""A GPU live: one session's time per hop, and how many sessions it holds at 93 ms.

    uv run python benchmarks/gpu.py                              # the full network, every precision
    uv run python benchmarks/gpu.py --hidden 16 --precision bfloat16
    uv run python benchmarks/gpu.py --device cpu --hidden 4 --hops 5 --context-s 0.2    # to try it

The network's weights are random, which changes neither time nor memory. Every hop a segment of
noise goes from the processor's memory through `streamsep.devices` and its stems come back; beside
that stands the same network called step by step, without graphs and pinned memory.

A hop of 2048 samples with as much look-ahead is an algorithmic latency of 93 ms. Sessions hold it
if their segments, all at the same moment, are computed within 60 % of a hop in 99 hops of 100: what
is left is for transport and for whatever comes in between.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
import typer
from common import write_results
from rich.console import Console
from rich.table import Table

from streamsep.devices import make_executor
from streamsep.devices.precision import arithmetic, check_precision
from streamsep.models.hybrid_demucs import HybridDemucs, HybridDemucsConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from streamsep.devices import Executor

RATE = 44_100
LOOK_AHEAD = 2048
MOST_OF_A_HOP = 0.6
MOST_SESSIONS = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class OneSession:
    """Times per hop of one session, in milliseconds.

    Attributes:
        precision: how exactly it was computed.
        hop: samples.
        p50_ms: median.
        p99_ms: what 99 hops of 100 stay below.
        longest_ms: the longest.
        step_by_step_ms: median without graphs and pinned memory.
        agreement_db: of the stems with those of float32, step by step.
    """

    precision: str
    hop: int
    p50_ms: float
    p99_ms: float
    longest_ms: float
    step_by_step_ms: float
    agreement_db: float

    @property
    def share_of_hop(self) -> float:
        """p99 over the hop's duration."""
        return self.p99_ms / (1e3 * self.hop / RATE)


def times_ms(work: Callable[[], object], repeats: int) -> np.ndarray:
    """How long some work takes, every time; the first two times do not count."""
    took = []
    for _ in range(2 + repeats):
        started = time.perf_counter()
        work()
        took.append(1e3 * (time.perf_counter() - started))
    return np.array(took[2:])


def measure_session(
    network: HybridDemucs, device: torch.device, precision: str, hop: int, context: int, hops: int
) -> OneSession:
    """One session: a segment at a time."""
    length = network.stride * -(-(context + hop + LOOK_AHEAD) // network.stride)
    mix = 0.1 * torch.randn(1, 2, length)
    executor = make_executor(network, device, precision=precision, largest_batch=1)
    executor.prepare(2, length)
    took = times_ms(lambda: executor(mix), hops)
    chosen = check_precision(precision, device)
    with torch.inference_mode():
        with arithmetic(chosen, device):
            step_by_step = times_ms(lambda: network(mix.to(device)).cpu(), max(3, hops // 10))
        with arithmetic("float32", device):
            exact = network(mix.to(device)).cpu()
    error = (executor(mix) - exact).square().sum()
    return OneSession(
        precision=precision,
        hop=hop,
        p50_ms=float(np.percentile(took, 50)),
        p99_ms=float(np.percentile(took, 99)),
        longest_ms=float(took.max()),
        step_by_step_ms=float(np.median(step_by_step)),
        agreement_db=float(10 * torch.log10(exact.square().sum() / error)),
    )


def together(executor: Executor, mixes: Tensor) -> None:
    """What the engine does with segments that wait at the same moment."""
    pending = [executor.begin(part) for part in mixes.split(executor.largest_batch)]
    for each in pending:
        each.result()


def count_sessions(
    network: HybridDemucs, device: torch.device, precision: str, context: int, hops: int
) -> int:
    """How many sessions hold a hop of 2048 with a look-ahead of 2048."""
    hop = 2048
    length = network.stride * -(-(context + hop + LOOK_AHEAD) // network.stride)
    executor = make_executor(network, device, precision=precision)
    executor.prepare(2, length)
    limit_ms = MOST_OF_A_HOP * 1e3 * hop / RATE

    def holds(sessions: int) -> bool:
        mixes = 0.1 * torch.randn(sessions, 2, length)
        took = times_ms(lambda: together(executor, mixes), hops)
        return float(np.percentile(took, 99)) <= limit_ms

    good, bad = 0, 1
    while bad <= MOST_SESSIONS and holds(bad):
        good, bad = bad, 2 * bad
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if holds(middle) else (good, middle)
    return good


def main(
    device: Annotated[str, typer.Option("-d", "--device")] = "cuda",
    precision: Annotated[list[str] | None, typer.Option(help="Default: all that it has.")] = None,
    hidden: Annotated[int, typer.Option(help="Width of the network; 48 is the full one.")] = 48,
    hops: Annotated[int, typer.Option(min=2, help="Hops to measure.")] = 500,
    context_s: Annotated[float, typer.Option(help="What a segment sees of the past.")] = 3.0,
) -> None:
    """Measure, print two tables and write benchmarks/results/*.json."""
    place = torch.device(device)
    if place.type == "cuda" and not torch.cuda.is_available():
        print("no CUDA device here: nothing to measure (--device cpu tries the benchmark itself)")
        return
    torch.manual_seed(0)
    network = HybridDemucs(HybridDemucsConfig(hidden=hidden)).eval().requires_grad_(False)
    network.to(place)
    every = ["float32", "tf32", "bfloat16"] if place.type == "cuda" else ["float32", "bfloat16"]
    context = round(context_s * RATE)
    sessions = [
        measure_session(network, place, each, hop, context, hops)
        for each in precision or every
        for hop in (1024, 2048)
    ]
    held = {
        each: count_sessions(network, place, each, context, max(2, hops // 5))
        for each in precision or every
    }
    report(sessions, held)
    name = torch.cuda.get_device_name(place) if place.type == "cuda" else device
    path = write_results(
        "gpu",
        {
            "device": name,
            "parameters": sum(weight.numel() for weight in network.parameters()),
            "context": context,
            "one_session": [
                asdict(each) | {"share_of_hop": each.share_of_hop} for each in sessions
            ],
            "sessions_at_93_ms": held,
        },
    )
    print(f"written to {path}")


def report(sessions: list[OneSession], held: dict[str, int]) -> None:
    """Print the tables."""
    console = Console(highlight=False)
    table = Table(title="one session")
    for heading in ("precision", "hop", "p50 ms", "p99 ms", "longest ms", "of the hop"):
        table.add_column(heading, justify="right")
    table.add_column("step by step ms", justify="right")
    table.add_column("agreement dB", justify="right")
    for one in sessions:
        table.add_row(
            one.precision,
            str(one.hop),
            *(f"{value:.2f}" for value in (one.p50_ms, one.p99_ms, one.longest_ms)),
            f"{one.share_of_hop:.0%}",
            f"{one.step_by_step_ms:.2f}",
            f"{one.agreement_db:.1f}",
        )
    console.print(table)
    for precision, count in held.items():
        most = " or more" if count >= MOST_SESSIONS else ""
        console.print(f"sessions at 93 ms in {precision}: {count}{most}")


if __name__ == "__main__":
    typer.run(main)
