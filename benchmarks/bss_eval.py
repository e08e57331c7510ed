"""Speed and memory of BSS Eval, ours against museval 0.4, on the same song.

    uv run python benchmarks/bss_eval.py
    uv run python benchmarks/bss_eval.py --seconds 180 --repeats 1

Both score the same four stereo stems of a song of the built-in band against estimates that leak,
hiss and are too soft, in frames of one second with 512 taps. Every run is a fresh process and the
contestants take turns; the figures are medians. Processor time stands beside the time on the clock
because it does not depend on who else uses the machine.

The scores must agree to 1e-4 dB. That is checked, and decides the exit code.

The floor is the time that our arithmetic would take at the rate of a float64 matrix product,
measured here. A Cholesky factorisation comes near it. FFTs do not, for they compute little with
every sample they load; and the longer the song, the more of the work is theirs.
"""

from __future__ import annotations

import math
import statistics
import tempfile
import time
from dataclasses import asdict, astuple, dataclass
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from common import in_fresh_process, machine, peak_mib, write_results
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

RATE = 44_100
TAPS = 512
SEED = 900_000  # all four stems play from the first second to the last
TOLERANCE_DB = 1e-4


@dataclass(frozen=True, slots=True)
class Run:
    """One scoring, measured.

    Attributes:
        elapsed_s: time on the clock.
        processor_s: time that processors spent.
        grown_mib: peak resident memory in the end, less what it was before: the libraries and the
            sounds.
    """

    elapsed_s: float
    processor_s: float
    grown_mib: float


def main(
    seconds: Annotated[float, typer.Option(min=1, help="Length of the song.")] = 30.0,
    repeats: Annotated[int, typer.Option(min=1, help="Runs of each contestant.")] = 3,
) -> None:
    """Measure BSS Eval against museval and write benchmarks/results/*.json."""
    contestants = {"streamsep": score_ours, "museval": score_museval}
    gflops = in_fresh_process(float64_gflops)
    with tempfile.TemporaryDirectory() as folder:
        song = Path(folder, "song.npy")
        in_fresh_process(write_song, song, seconds)
        runs, scores = alternate(contestants, song, repeats)
    difference = float(np.max(np.abs(scores["streamsep"] - scores["museval"])))
    medians = {name: median(its) for name, its in runs.items()}
    gflop = work_gflop(sources=4, channels=2, frames=scores["streamsep"].shape[-1])
    path = write_results(
        "bss_eval",
        {
            "seconds": seconds,
            "work_gflop": gflop,
            "float64_matmul_gflops": gflops,
            "largest_difference_db": difference,
            "contestants": {
                name: {"median": asdict(medians[name]), "runs": [asdict(run) for run in its]}
                for name, its in runs.items()
            },
        },
    )
    console = Console(highlight=False)
    console.print(table_of(medians, seconds))
    floor = gflop / gflops
    console.print(
        f"floor: {gflop:.0f} GFLOP take {floor:.2f} s at a matrix product's {gflops:.0f} GFLOP/s; "
        f"our processor time is {medians['streamsep'].processor_s / floor:.1f} times that"
    )
    agree = difference <= TOLERANCE_DB
    console.print(
        f"largest difference {difference:.1e} dB: "
        + ("the scores agree" if agree else f"more than {TOLERANCE_DB:.0e}, THE SCORES DISAGREE")
    )
    console.print(f"written to {path}")
    if not agree:
        raise typer.Exit(1)


def alternate(
    contestants: Mapping[str, Callable[[Path], tuple[Run, NDArray[np.float64]]]],
    song: Path,
    repeats: int,
) -> tuple[dict[str, list[Run]], dict[str, NDArray[np.float64]]]:
    """Let the contestants take turns; return everyone's runs and scores [4, S, N]."""
    runs: dict[str, list[Run]] = {name: [] for name in contestants}
    scores = {}
    for _ in range(repeats):
        for name, contestant in contestants.items():
            run, scores[name] = in_fresh_process(contestant, song)
            runs[name].append(run)
    return runs, scores


def score_ours(song: Path) -> tuple[Run, NDArray[np.float64]]:
    """Score with streamsep."""
    from streamsep.evaluation.bss_eval import bss_eval

    references, estimates = np.load(song)
    return measured(
        lambda: astuple(bss_eval(references, estimates, window=RATE, hop=RATE, filter_length=TAPS))
    )


def score_museval(song: Path) -> tuple[Run, NDArray[np.float64]]:
    """Score with museval, whose samples come before channels and in float64."""
    metrics = museval_metrics()
    references, estimates = np.load(song).swapaxes(-1, -2).astype(np.float64)
    return measured(
        lambda: metrics.bss_eval(references, estimates, window=RATE, hop=RATE, filters_len=TAPS)[:4]
    )


def measured(score: Callable[[], Any]) -> tuple[Run, NDArray[np.float64]]:
    """Time and memory of a call that returns four scores."""
    rest, start, processor_start = peak_mib(), time.perf_counter(), time.process_time()
    scores = np.array(score())
    elapsed_s = time.perf_counter() - start
    processor_s = time.process_time() - processor_start
    return Run(elapsed_s, processor_s, peak_mib() - rest), scores


def museval_metrics() -> Any:
    """The module of museval that measures, alone: importing the whole package needs ffmpeg."""
    package = find_spec("museval")
    if package is None or package.origin is None:
        raise typer.BadParameter("museval is not installed; install the dev group: uv sync")
    spec = spec_from_file_location("museval_metrics", Path(package.origin).with_name("metrics.py"))
    assert spec is not None
    assert spec.loader is not None
    metrics = module_from_spec(spec)
    spec.loader.exec_module(metrics)
    return metrics


def write_song(path: Path, seconds: float) -> None:
    """Write references and estimates, float32 [2, S, C, T]."""
    from streamsep.synthesis import STEMS, synthesise_song

    song = synthesise_song(SEED, seconds)
    random = np.random.default_rng(0)
    stems = np.stack([song.stems[stem] for stem in STEMS])
    # The built-in bass has no treble at all, and filters that make treble of nothing are rounding,
    # ours and museval's. Recordings have at least the noise of 16 bits.
    references = stems + 2e-5 * random.standard_normal(stems.shape)
    hiss = 1e-3 * random.standard_normal(stems.shape)
    estimates = 0.9 * references + 0.05 * song.mixture + hiss
    np.save(path, np.stack([references, estimates]).astype(np.float32))


def work_gflop(sources: int, channels: int, frames: int) -> float:
    """The arithmetic of our scores for frames of one second that follow each other, in GFLOP.

    A real FFT of n counts 2.5·n·log2(n), a product of complex numbers with its sum 8, Cholesky of
    n n³/3.
    """
    from streamsep.evaluation.distortion_filters import fft_blocks

    rows = sources * channels

    def spectral(length: int, transforms: int) -> float:
        size, step = fft_blocks(length, TAPS)
        products = 8 * 2 * rows**2 * (size // 2 + 1)
        return math.ceil(length / step) * (transforms * 2.5 * size * math.log2(size) + products)

    # To find the filters: references twice and estimates; to apply them: references, and back
    # twice as many; then seven energies, four of them of differences.
    correlations = spectral(frames * RATE, 3 * rows)
    projections = frames * spectral(RATE + TAPS - 1, 3 * rows)
    energies = frames * (RATE + TAPS - 1) * rows * (7 * 2 + 4)
    unknown = rows * TAPS
    solving = unknown**3 / 3 + sources * (channels * TAPS) ** 3 / 3 + 2 * unknown**2 * rows
    return (correlations + projections + energies + solving) / 1e9


def float64_gflops(size: int = 1536, repeats: int = 5) -> float:
    """How fast this machine multiplies float64 matrices, by processor time: the best of some."""
    a, b = np.random.default_rng(0).standard_normal((2, size, size))
    times = []
    for _ in range(repeats + 1):
        start = time.process_time()
        a @ b
        times.append(time.process_time() - start)
    return 2 * size**3 / min(times) / 1e9


def median(runs: list[Run]) -> Run:
    """Every figure's median."""
    columns = zip(*(astuple(run) for run in runs), strict=True)
    return Run(*(statistics.median(column) for column in columns))


def table_of(medians: dict[str, Run], seconds: float) -> Table:
    """A table with ratios against the first row."""
    facts = machine()
    table = Table(title=f"{seconds:g} s, {facts['cores']} × {facts['processor']}")
    for heading in ("", "s", "processor s", "grown MiB", "× time", "× processor", "× memory"):
        table.add_column(heading, justify="right" if heading else "left")
    first = next(iter(medians.values()))
    for name, run in medians.items():
        table.add_row(
            name,
            f"{run.elapsed_s:.2f}",
            f"{run.processor_s:.2f}",
            f"{run.grown_mib:.0f}",
            f"{run.elapsed_s / first.elapsed_s:.2f}",
            f"{run.processor_s / first.processor_s:.2f}",
            f"{run.grown_mib / first.grown_mib:.2f}",
        )
    return table


if __name__ == "__main__":
    typer.run(main)
