"""What becomes of a stream and of a file while other programs keep CPUs busy.

    uv run python benchmarks/beside_other_work.py
    uv run python benchmarks/beside_other_work.py --hidden 48 --preset lean

The network is the starter, or one with random weights and so many channels as `--hidden` says.
Everything runs in fresh processes: alone, and beside one, two, ... up to as many processes as there
are CPUs that do nothing but count.

The peer is the plain network on the same segment, as torch computes it: all threads share every
operation. It recomputes all of a segment for every hop, so compare how it changes, not how long it
takes.
"""

from __future__ import annotations

import json
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import soundfile
import typer
from common import in_fresh_process, write_results
from file_separation import write_weights
from rich.console import Console
from rich.table import Table

from streamsep.measuring.machine import usable_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RATE = 44_100
FILE_S = 30
WARM_UP = 4
"""Hops and segments that are computed before the clock counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Beside one number of busy processes.

    Attributes:
        busy: how many there were.
        hop_ms: a hop of the stream, the median.
        worst_hop_ms: the longest of them.
        plain_ms: a segment of the plain network, the median.
        worst_plain_ms: the longest of them.
        file_rtf: a file's time over its length.
    """

    busy: int
    hop_ms: float
    worst_hop_ms: float
    plain_ms: float
    worst_plain_ms: float
    file_rtf: float


def main(
    hidden: Annotated[
        int | None, typer.Option(help="Channels of a network with random weights.")
    ] = None,
    preset: Annotated[str, typer.Option(help="Latency preset of the stream.")] = "stage",
    seconds: Annotated[float, typer.Option(help="How long hops are computed.")] = 10.0,
) -> None:
    """Time hops and a file, alone and beside busy processes."""
    measurements = []
    with tempfile.TemporaryDirectory() as folder:
        network, song = "starter", Path(folder, "song.wav")
        if hidden is not None:
            network = str(Path(folder, "random.safetensors"))
            in_fresh_process(write_weights, Path(network), hidden)
        noise = np.random.default_rng(0).standard_normal((FILE_S * RATE, 2)) * 0.1
        soundfile.write(song, noise, RATE, subtype="FLOAT")
        for busy in range(usable_cores() + 1):
            with busy_processes(busy):
                hops = in_fresh_process(time_hops, network, preset, seconds)
                plain = in_fresh_process(time_plain_segments, network, preset, seconds)
                measurements.append(
                    Measurement(
                        busy=busy,
                        hop_ms=1000 * statistics.median(hops),
                        worst_hop_ms=1000 * max(hops),
                        plain_ms=1000 * statistics.median(plain),
                        worst_plain_ms=1000 * max(plain),
                        file_rtf=rtf_of_file(song, network),
                    )
                )
    show(measurements)
    asked = {"network": hidden or "starter", "preset": preset}
    write_results(
        "beside_other_work", {**asked, "measurements": [asdict(each) for each in measurements]}
    )


@contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """So many of them run meanwhile."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=count_for_ever, daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
            process.join()


def count_for_ever() -> None:
    """Keep one CPU busy."""
    number = 0
    while True:
        number += 1


def time_hops(name: str, preset: str, seconds: float) -> list[float]:
    """Seconds that each hop of a stream took, one after the other."""
    from streamsep.cli.app import let_threads_sleep

    let_threads_sleep()  # as for every command, before torch is imported
    import torch

    from streamsep import StreamConfig, StreamingSeparator, load_preset, load_separator

    separator = load_separator(name, precision="float32")
    config = StreamConfig.from_preset(load_preset(preset)).fitted_to(separator)
    stream = StreamingSeparator(separator, config, incremental=True)
    block = 0.1 * torch.randn(2, config.hop)
    return times(lambda: stream.push(block), seconds)


def time_plain_segments(name: str, preset: str, seconds: float) -> list[float]:
    """Seconds that the plain network took for each segment of the same length."""
    import torch

    from streamsep import StreamConfig, load_preset, load_separator

    model = load_separator(name)
    config = StreamConfig.from_preset(load_preset(preset)).fitted_to(model)
    mix = 0.1 * torch.randn(1, 2, config.segment)
    with torch.inference_mode():
        return times(lambda: model(mix), seconds)


def times(work: Callable[[], object], seconds: float) -> list[float]:
    """How long some work took each time, at least three times and for so long."""
    for _ in range(WARM_UP):
        work()
    taken: list[float] = []
    while sum(taken) < seconds or len(taken) < 3:
        begin = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begin)
    return taken


def rtf_of_file(song: Path, name: str) -> float:
    """What `streamsep separate` says that a file took, over its length."""
    command = [sys.executable, "-m", "streamsep", "separate", song, "-n", name, "--json"]
    ended = subprocess.run(
        [*map(str, command), "-o", str(song.parent / "out")],
        check=True,
        capture_output=True,
        text=True,
    )
    rtf: float = json.loads(ended.stdout)["rtf"]
    return rtf


def show(measurements: list[Measurement]) -> None:
    """Print a table."""
    table = Table(title="Beside busy processes")
    for column in ("busy", "hop, ms", "at worst", "plain segment, ms", "at worst", "file, RTF"):
        table.add_column(column, justify="right")
    for each in measurements:
        table.add_row(
            str(each.busy),
            *(
                f"{ms:.0f}"
                for ms in (each.hop_ms, each.worst_hop_ms, each.plain_ms, each.worst_plain_ms)
            ),
            f"{each.file_rtf:.2f}",
        )
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
