"""Speed and memory of separating a file, ours against demucs 4.1, on the same random weights.

    uv run python benchmarks/file_separation.py
    uv run python benchmarks/file_separation.py --seconds 180 --repeats 5

Both read one float32 wav and write four; the network is Hybrid Demucs with 83.6 M parameters.
demucs runs twice: with the segment of 44 s that its bags prescribe, and with ours. Every run is a
fresh process and the contestants take turns, so that neither a warm cache nor a busy neighbour
favours one of them; the figures are medians. Loading the network is not timed; its memory counts.

With the same segment both must write the same stems. That is checked, and decides the exit code.

The floor is the time that the network's arithmetic takes at the rate of a matrix product, measured
here and without overlap: with an overlap of 25 % every second is separated 1.33 times, so nothing
that computes in float32 with that overlap can come closer to the floor than 1.33.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import soundfile
import typer
from common import (
    GFLOP_PER_SECOND_OF_AUDIO,
    in_fresh_process,
    machine,
    matmul_gflops,
    peak_mib,
    write_results,
)
from rich.console import Console
from rich.table import Table

# torch, demucs and streamsep are imported by the functions that run in processes of their own: a
# child's peak memory starts from its parent's.

RATE = 44_100
OVERLAP = 0.25
OUR_SEGMENT = 442_368  # as on the model cards
DEMUCS_SEGMENT = 44 * RATE  # as in demucs' bags of this network
SOURCES = ("drums", "bass", "other", "vocals")
TOLERANCE = 1e-5  # of the stems' RMS
DEMUCS_PARTS = {
    "freq_encoder": "encoder",
    "freq_decoder": "decoder",
    "time_encoder": "tencoder",
    "time_decoder": "tdecoder",
}


@dataclass(frozen=True, slots=True)
class Contestant:
    """Who separates, and how much at once.

    Attributes:
        program: "streamsep" or "demucs".
        segment: samples.
    """

    program: str
    segment: int

    @property
    def name(self) -> str:
        """As the table shows it."""
        return f"{self.program}, {self.segment / RATE:.1f} s segments"


@dataclass(frozen=True, slots=True)
class Run:
    """One separation, measured.

    Attributes:
        rtf: processing time over audio time.
        rest_mib: peak resident memory before the separation: the libraries and the network.
        peak_mib: peak resident memory in the end.
    """

    rtf: float
    rest_mib: float
    peak_mib: float


def main(
    seconds: Annotated[float, typer.Option(min=0.1, help="Length of the file.")] = 60.0,
    repeats: Annotated[int, typer.Option(min=1, help="Runs of each contestant.")] = 3,
    hidden: Annotated[int, typer.Option(help="Width of the network; 48 has 83.6 M.")] = 48,
    segment: Annotated[int, typer.Option(help="Our segment, samples.")] = OUR_SEGMENT,
) -> None:
    """Measure file separation against demucs and write benchmarks/results/*.json."""
    contestants = [
        Contestant("streamsep", segment),
        Contestant("demucs", segment),
        Contestant("demucs", DEMUCS_SEGMENT),
    ]
    gflops = in_fresh_process(matmul_gflops)
    with tempfile.TemporaryDirectory() as folder:
        song, weights = Path(folder, "song.wav"), Path(folder, "weights.safetensors")
        write_noise(song, seconds)
        in_fresh_process(write_weights, weights, hidden)
        runs = alternate(contestants, song, weights, repeats)
        difference = largest_difference(
            stems_folder(song, contestants[0]), stems_folder(song, contestants[1])
        )
    # The count is that of the full network.
    floor = GFLOP_PER_SECOND_OF_AUDIO / gflops if hidden == 48 else None
    path = write_results(
        "file_separation",
        {
            "seconds": seconds,
            "hidden": hidden,
            "overlap": OVERLAP,
            "matmul_gflops": gflops,
            "floor_rtf": floor,
            "largest_difference_over_rms": difference,
            "contestants": [
                asdict(contestant)
                | {"median": asdict(median(runs[contestant]))}
                | {"runs": [asdict(run) for run in runs[contestant]]}
                for contestant in contestants
            ],
        },
    )
    report({contestant: median(runs[contestant]) for contestant in contestants}, floor)
    console = Console(highlight=False)
    if floor is not None:
        console.print(f"floor: RTF {floor:.3f} at the matrix product's {gflops:.0f} GFLOP/s")
    agree = difference <= TOLERANCE
    console.print(
        f"same segments, largest difference {difference:.1e} of the RMS: "
        + ("the stems agree" if agree else f"more than {TOLERANCE:.0e}, THE STEMS DISAGREE")
    )
    console.print(f"written to {path}")
    if not agree:
        raise typer.Exit(1)


def alternate(
    contestants: list[Contestant], song: Path, weights: Path, repeats: int
) -> dict[Contestant, list[Run]]:
    """Let the contestants take turns; return everyone's runs."""
    runs: dict[Contestant, list[Run]] = {contestant: [] for contestant in contestants}
    for _ in range(repeats):
        for contestant in contestants:
            separate = separate_ours if contestant.program == "streamsep" else separate_demucs
            folder = stems_folder(song, contestant)
            run = in_fresh_process(separate, song, weights, contestant.segment, folder)
            runs[contestant].append(run)
    return runs


def stems_folder(song: Path, contestant: Contestant) -> Path:
    """Where a contestant writes."""
    return song.parent / f"{contestant.program}-{contestant.segment}"


def separate_ours(song: Path, weights: Path, segment: int, folder: Path) -> Run:
    """Separate the song with streamsep."""
    from streamsep import Encoding, OverlapConfig, SeparationOptions, load_separator
    from streamsep.offline import separate_track

    network = load_separator(str(weights))
    options = SeparationOptions(
        tiling=OverlapConfig(segment=segment, overlap=OVERLAP),
        encoding=Encoding(samples="float32"),
    )
    rest, start = peak_mib(), time.perf_counter()
    separate_track(song, network, options, lambda stem, ext: folder / f"{stem}.{ext}")
    elapsed_s = time.perf_counter() - start
    return Run(elapsed_s / soundfile.info(song).duration, rest, peak_mib())


def separate_demucs(song: Path, weights: Path, segment: int, folder: Path) -> Run:
    """Separate the song with demucs, the way its own command does."""
    from demucs.api import Separator
    from demucs.audio import save_audio

    network = load_for_demucs(weights)

    class LocalSeparator(Separator):
        """demucs' separator, given a network instead of the name of one."""

        def _load_model(self) -> None:
            self._model = network
            self._audio_channels = network.audio_channels
            self._samplerate = network.samplerate

    # demucs cuts seconds down to samples; half a sample more makes that the number meant.
    segment_s: Any = (segment + 0.5) / RATE
    separator = LocalSeparator(
        device="cpu", shifts=0, overlap=OVERLAP, segment=segment_s, progress=False
    )
    folder.mkdir(exist_ok=True)
    rest, start = peak_mib(), time.perf_counter()
    _, stems = separator.separate_audio_file(song)
    for stem, audio in stems.items():
        save_audio(audio, folder / f"{stem}.wav", RATE, clip="none", as_float=True)
    elapsed_s = time.perf_counter() - start
    return Run(elapsed_s / soundfile.info(song).duration, rest, peak_mib())


def load_for_demucs(weights: Path) -> Any:
    """Build demucs' own network with the weights of our file."""
    from demucs.hdemucs import HDemucs
    from safetensors.torch import load_file

    ours = load_file(weights)
    network = HDemucs(list(SOURCES), channels=len(ours["freq_encoder.0.conv.bias"]))
    theirs = {}
    for name, weight in ours.items():
        part, rest = name.split(".", 1)
        theirs[f"{DEMUCS_PARTS.get(part, part)}.{rest}"] = weight
    network.load_state_dict(theirs)
    return network.eval()


def write_noise(path: Path, seconds: float) -> None:
    """Write stereo noise; what it sounds like changes neither time nor memory."""
    noise = np.random.default_rng(0).standard_normal((round(seconds * RATE), 2)) * 0.1
    soundfile.write(path, noise.astype(np.float32), RATE, subtype="FLOAT")


def write_weights(path: Path, hidden: int) -> None:
    """Write a network with random weights, none of them so small that it would not matter."""
    import torch

    from streamsep.models.checkpoints import save_checkpoint
    from streamsep.models.hybrid_demucs import HybridDemucs, HybridDemucsConfig

    torch.manual_seed(0)
    network = HybridDemucs(HybridDemucsConfig(hidden=hidden, sources=SOURCES, layer_scale=0.3))
    save_checkpoint(network, path, licence="none", training="random weights, for benchmarks")


def largest_difference(ours: Path, theirs: Path) -> float:
    """The largest difference between two folders of stems, over the RMS of the second."""
    largest, squares, count = 0.0, 0.0, 0
    for stem in SOURCES:
        a, b = (
            soundfile.read(folder / f"{stem}.wav", dtype="float32")[0] for folder in (ours, theirs)
        )
        largest = max(largest, float(np.abs(a - b).max()))
        squares += float(np.square(b, dtype=np.float64).sum())
        count += b.size
    return float(largest / np.sqrt(squares / count))


def median(runs: list[Run]) -> Run:
    """Every figure's median."""
    columns = zip(*(asdict(run).values() for run in runs), strict=True)
    return Run(*(statistics.median(column) for column in columns))


def report(medians: dict[Contestant, Run], floor: float | None) -> None:
    """Print a table, ratios against the first row."""
    facts = machine()
    table = Table(title=f"{facts['cores']} × {facts['processor']}, torch {facts['torch']}")
    for heading in ("", "RTF", "× floor", "peak MiB", "at rest", "× time", "× memory"):
        table.add_column(heading, justify="right" if heading else "left")
    first = next(iter(medians.values()))
    for contestant, run in medians.items():
        table.add_row(
            contestant.name,
            f"{run.rtf:.3f}",
            "" if floor is None else f"{run.rtf / floor:.2f}",
            f"{run.peak_mib:.0f}",
            f"{run.rest_mib:.0f}",
            f"{run.rtf / first.rtf:.2f}",
            f"{run.peak_mib / first.peak_mib:.2f}",
        )
    Console(highlight=False).print(table)


if __name__ == "__main__":
    typer.run(main)
