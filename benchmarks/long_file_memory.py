"""Whether memory stays the same however long the file: hours of audio against two minutes of it.

    uv run python benchmarks/long_file_memory.py
    uv run python benchmarks/long_file_memory.py --hours 0.5 --folder /scratch

The separator is trivial, a quarter of the mixture for each stem, so what is measured is everything
around a network: reading, both passes, the streaming core and writing four 16-bit stems. Each
length runs in a process of its own. Four hours of 44.1 kHz stereo are 2.5 GB and their stems 10 GB,
on the disk of `--folder`; they are deleted at the end. More than 200 MiB of difference is a
failure, and the exit code says so.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import soundfile
import typer
from common import in_fresh_process, peak_mib, write_results
from rich.console import Console

if TYPE_CHECKING:
    from torch import Tensor

# torch and streamsep are imported by the functions that run in processes of their own: a child's
# peak memory starts from its parent's.

RATE = 44_100
SHORT_S = 120.0
ALLOWED_MIB = 200.0
SEGMENT = 442_368  # as on the model cards


@dataclass(frozen=True, slots=True)
class Run:
    """One separation, measured.

    Attributes:
        seconds: length of the file.
        elapsed_s: what the separation took.
        rest_mib: peak resident memory before the separation.
        peak_mib: peak resident memory in the end.
    """

    seconds: float
    elapsed_s: float
    rest_mib: float
    peak_mib: float


class Quarters:
    """A separator that gives every stem a quarter of the mixture."""

    sample_rate = RATE
    channels = 2
    sources = ("drums", "bass", "other", "vocals")
    stride = 2048

    def __call__(self, mix: Tensor) -> Tensor:
        """From [B, C, T] to [B, S, C, T]."""
        return (0.25 * mix)[:, None].expand(-1, len(self.sources), -1, -1)


def main(
    hours: Annotated[float, typer.Option(min=0.01, help="Length of the long file.")] = 4.0,
    folder: Annotated[
        Path | None, typer.Option(help="Where the files go for a while; they need 13 GB.")
    ] = None,
) -> None:
    """Measure the peak memory for a short and a long file and write benchmarks/results/*.json."""
    short = in_fresh_process(separate, SHORT_S, folder)
    long = in_fresh_process(separate, 3600.0 * hours, folder)
    growth = long.peak_mib - short.peak_mib
    results = {
        "short": asdict(short),
        "long": asdict(long),
        "growth_mib": growth,
        "allowed_mib": ALLOWED_MIB,
    }
    path = write_results("long_file_memory", results)
    console = Console(highlight=False)
    for run in (short, long):
        console.print(
            f"{run.seconds / 60:6.0f} min in {run.elapsed_s:5.0f} s: peak {run.peak_mib:.0f} MiB, "
            f"of which {run.rest_mib:.0f} MiB before the separation"
        )
    console.print(f"growth {growth:.0f} MiB, allowed {ALLOWED_MIB:.0f}; written to {path}")
    raise typer.Exit(growth > ALLOWED_MIB)


def separate(seconds: float, folder: Path | None) -> Run:
    """Make a file of noise, separate it and say what that took."""
    import torch

    from streamsep.models import LoadedModel
    from streamsep.offline import SeparationOptions, separate_file

    torch.set_num_threads(1)  # without a network, threads only wait for each other
    with tempfile.TemporaryDirectory(dir=folder) as place:
        song = Path(place, "song.wav")
        write_noise(song, seconds)
        model = LoadedModel(
            separator=Quarters(), name="quarters", path=song, licence="none", segment=SEGMENT
        )
        rest_mib = peak_mib()
        start = time.perf_counter()
        separate_file(song, model, Path(place, "out"), SeparationOptions())
        return Run(seconds, time.perf_counter() - start, rest_mib, peak_mib())


def write_noise(path: Path, seconds: float) -> None:
    """Write 16-bit stereo noise, block by block."""
    generator = np.random.default_rng(0)
    left = round(seconds * RATE)
    with soundfile.SoundFile(path, "w", RATE, 2, "PCM_16") as file:
        while left:
            block = generator.integers(-8192, 8192, (min(left, RATE), 2), dtype=np.int16)
            file.write(block)
            left -= len(block)


if __name__ == "__main__":
    typer.run(main)
