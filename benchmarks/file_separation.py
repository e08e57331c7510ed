"""Speed and memory of separating a file, ours against demucs 4.1, on the same random weights.

    uv run python benchmarks/file_separation.py
    uv run python benchmarks/file_separation.py --seconds 180 --repeats 5

Both read one float32 wav and write four; the network is Hybrid Demucs with 83.6 M parameters.
streamsep runs as it does by default (segments of 6 s that share a thirty-second), the same in
bfloat16, and with segments of 10 s that overlap by a quarter; demucs with those, and with the 44 s
that its bags prescribe. Every run is a fresh process and the contestants take turns, so that
neither a warm cache nor a busy neighbour favours one of them; the figures are medians. Loading the
network is not timed; its memory counts.

With the same segments both must write the same stems to 80 dB, and in bfloat16 the stems must be
those of float32 to 40 dB. That is checked, and decides the exit code.

The floor is the time that the network's arithmetic takes at the rate of a float32 matrix product,
measured here and without overlap.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

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
OUR_SEGMENT, OUR_OVERLAP = 262_144, 1 / 32  # as on the model cards
SHORT_SEGMENT = 442_368  # 10 s
DEMUCS_SEGMENT = 44 * RATE  # as in demucs' bags of this network
DEMUCS_OVERLAP = 0.25
SOURCES = ("drums", "bass", "other", "vocals")
LEAST_DB, LEAST_BFLOAT16_DB = 80.0, 40.0
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
        overlap: share of a segment that the next one covers too.
        precision: of streamsep: "float32" or "bfloat16".
    """

    program: str
    segment: int
    overlap: float = DEMUCS_OVERLAP
    precision: Literal["float32", "bfloat16"] = "float32"

    @property
    def name(self) -> str:
        """As the table shows it."""
        return f"{self.program}, {self.segment / RATE:.1f} s segments, {self.precision}"


OURS = Contestant("streamsep", OUR_SEGMENT, OUR_OVERLAP)
OURS_BFLOAT16 = Contestant("streamsep", OUR_SEGMENT, OUR_OVERLAP, "bfloat16")
OURS_SHORT = Contestant("streamsep", SHORT_SEGMENT)
DEMUCS_SHORT = Contestant("demucs", SHORT_SEGMENT)
DEMUCS = Contestant("demucs", DEMUCS_SEGMENT)
CONTESTANTS = (OURS, OURS_BFLOAT16, OURS_SHORT, DEMUCS_SHORT, DEMUCS)


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
    threads: Annotated[int, typer.Option(min=1, help="Threads of each contestant.")] = 2,
) -> None:
    """Measure file separation against demucs and write benchmarks/results/*.json."""
    gflops = in_fresh_process(with_threads, threads, matmul_gflops)
    with tempfile.TemporaryDirectory() as folder:
        song, weights = Path(folder, "song.wav"), Path(folder, "weights.safetensors")
        write_noise(song, seconds)
        in_fresh_process(write_weights, weights, hidden)
        runs = alternate(song, weights, repeats, threads)
        agreements = {
            "float32 with demucs": agreement_db(song, DEMUCS_SHORT, OURS_SHORT),
            "bfloat16 with float32": agreement_db(song, OURS, OURS_BFLOAT16),
        }
    medians = {contestant: median(each) for contestant, each in runs.items()}
    # The count is that of the full network.
    floor = GFLOP_PER_SECOND_OF_AUDIO / gflops if hidden == 48 else None
    path = write_results(
        "file_separation",
        {
            "seconds": seconds,
            "hidden": hidden,
            "threads": threads,
            "matmul_gflops": gflops,
            "floor_rtf": floor,
            "agreement_db": agreements,
            "contestants": [
                asdict(contestant)
                | {"median": asdict(medians[contestant])}
                | {"runs": [asdict(run) for run in each]}
                for contestant, each in runs.items()
            ],
        },
    )
    report(medians, floor)
    console = Console(highlight=False)
    if floor is not None:
        console.print(f"floor: RTF {floor:.3f} at the matrix product's {gflops:.0f} GFLOP/s")
    for what, agreement in agreements.items():
        console.print(f"agreement of {what}: {agreement:.1f} dB")
    console.print(f"written to {path}")
    least = (LEAST_DB, LEAST_BFLOAT16_DB)
    if any(got < wanted for got, wanted in zip(agreements.values(), least, strict=True)):
        console.print(f"THE STEMS DISAGREE: expected at least {least[0]:.0f} and {least[1]:.0f} dB")
        raise typer.Exit(1)


def with_threads(threads: int, work: Any, *args: Any) -> Any:
    """Do some work with so many threads."""
    import torch

    torch.set_num_threads(threads)
    return work(*args)


def alternate(song: Path, weights: Path, repeats: int, threads: int) -> dict[Contestant, list[Run]]:
    """Let the contestants take turns; return everyone's runs."""
    runs: dict[Contestant, list[Run]] = {contestant: [] for contestant in CONTESTANTS}
    for _ in range(repeats):
        for contestant in CONTESTANTS:
            separate = separate_ours if contestant.program == "streamsep" else separate_demucs
            folder = stems_folder(song, contestant)
            run = in_fresh_process(
                with_threads, threads, separate, song, weights, contestant, folder
            )
            runs[contestant].append(run)
    return runs


def stems_folder(song: Path, contestant: Contestant) -> Path:
    """Where a contestant writes."""
    name = f"{contestant.program}-{contestant.segment}-{contestant.precision}"
    return song.parent / name


def separate_ours(song: Path, weights: Path, contestant: Contestant, folder: Path) -> Run:
    """Separate the song with streamsep."""
    from streamsep import Encoding, OverlapConfig, SeparationOptions, load_separator
    from streamsep.offline import separate_track

    network = load_separator(str(weights), precision=contestant.precision)
    options = SeparationOptions(
        tiling=OverlapConfig(segment=contestant.segment, overlap=contestant.overlap),
        encoding=Encoding(samples="float32"),
    )
    rest, start = peak_mib(), time.perf_counter()
    separate_track(song, network, options, lambda stem, ext: folder / f"{stem}.{ext}")
    elapsed_s = time.perf_counter() - start
    return Run(elapsed_s / soundfile.info(song).duration, rest, peak_mib())


def separate_demucs(song: Path, weights: Path, contestant: Contestant, folder: Path) -> Run:
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
    segment_s: Any = (contestant.segment + 0.5) / RATE
    separator = LocalSeparator(
        device="cpu", shifts=0, overlap=contestant.overlap, segment=segment_s, progress=False
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


def agreement_db(song: Path, one: Contestant, other: Contestant) -> float:
    """How far the difference between two contestants' stems lies below the first one's."""
    signal, difference = 0.0, 0.0
    for stem in SOURCES:
        a, b = (
            soundfile.read(stems_folder(song, each) / f"{stem}.wav", dtype="float32")[0]
            for each in (one, other)
        )
        signal += float(np.square(a, dtype=np.float64).sum())
        difference += float(np.square(a - b, dtype=np.float64).sum())
    return float(10 * np.log10(signal / max(difference, 1e-30)))


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
