"""What the benchmarks share: fresh processes, the machine's facts and speed, and the results."""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "GFLOP_PER_SECOND_OF_AUDIO",
    "in_fresh_process",
    "machine",
    "matmul_gflops",
    "peak_mib",
    "write_results",
]

GFLOP_PER_SECOND_OF_AUDIO = 18.9
"""Work of the 83.6 M-parameter Hybrid Demucs on a second of 44.1 kHz stereo, without overlap."""

P = ParamSpec("P")
R = TypeVar("R")


def in_fresh_process(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function of a module in a process of its own, and give back what it returns.

    Nothing that ran before can then speed it up, slow it down or count as its memory.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        return pool.submit(work, *args, **kwargs).result()


def peak_mib() -> float:
    """The most memory this process has ever had resident, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB, macOS in bytes.
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def matmul_gflops(size: int = 4096, repeats: int = 10) -> float:
    """How fast this machine multiplies float32 matrices, in GFLOP/s: the best of some tries.

    Everything a network does fast is a matrix product at heart, so this bounds its speed.
    """
    import torch

    a, b = torch.randn(2, size, size)
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        torch.mm(a, b)
        times.append(time.perf_counter() - start)
    return float(2 * size**3 / min(times) / 1e9)


def machine() -> dict[str, Any]:
    """What a measurement depends on beside the program."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load_average": load,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": version("torch"),
    }


def write_results(subject: str, results: dict[str, Any]) -> Path:
    """Write results as JSON beside the benchmarks; return the file, named by subject and time."""
    now = datetime.now(UTC)
    path = Path(__file__).with_name("results") / f"{subject}-{now:%Y%m%d-%H%M%S}.json"
    path.parent.mkdir(exist_ok=True)
    document = {"when": now.isoformat(timespec="seconds"), "machine": machine(), **results}
    path.write_text(json.dumps(document, indent=2) + "\n")
    return path


def _processor() -> str:
    """The processor's name, where Linux tells it more precisely than Python does."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
