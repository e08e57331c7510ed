"""Whether training examples are made as fast as a network takes them, and what they cost.

    uv run python benchmarks/training_data.py
    uv run python benchmarks/training_data.py --segment-s 6 --examples 100

Songs of noise are written as 16-bit wav and flac, stereo at 44.1 kHz, and examples are drawn from
them on the papers' grid: read only; with the papers' changes; with the papers' changes and repitch;
with those of the starter's configuration.

Everything happens in one process on one thread, as in a worker of the loader, and what counts is
the time that its core was busy: workers share nothing, so n of them make n times as many examples
as long as there are cores for them and a disk that keeps up. The files are in the system's cache,
so the disk is left out; the last column says what it must deliver.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import soundfile
import torch
import typer
from common import write_results
from rich.console import Console
from rich.progress import track
from rich.table import Table

from streamsep.config.training import AugmentationConfig, DataConfig, load_training_config
from streamsep.files import TrackFolder, find_tracks
from streamsep.training.augmentation import Augmentation
from streamsep.training.dataset import Examples

STEMS = ("drums", "bass", "other", "vocals")
RATE = 44_100
SONG_S = 60
SONGS = 2

PAPERS = AugmentationConfig(shift_s=1.0, swap_channels=0.5, flip_sign=0.5, scale=(0.25, 1.25))


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One way to make examples.

    Attributes:
        format: of the files.
        changes: what happens to an example.
        cpu_s: seconds of one core per example, on average.
        mib: size of the part of the files that an example is read from.
    """

    format: str
    changes: str
    cpu_s: float
    mib: float

    @property
    def per_core(self) -> float:
        """Examples per second and core."""
        return 1.0 / self.cpu_s


def main(
    segment_s: Annotated[float, typer.Option(min=0.1, help="Seconds that are read.")] = 11.0,
    examples: Annotated[int, typer.Option(min=1, help="Examples to make of each kind.")] = 50,
) -> None:
    """Measure how fast examples are made and write benchmarks/results/*.json."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        measurements = [
            measure(tracks, changes, config, round(segment_s * RATE), examples, Path(folder))
            for tracks in (write_songs(Path(folder), suffix) for suffix in ("wav", "flac"))
            for changes, config in kinds().items()
        ]
    path = write_results(
        "training_data",
        {
            "segment_s": segment_s,
            "examples": examples,
            "measurements": [asdict(one) | {"per_core": one.per_core} for one in measurements],
        },
    )
    report(measurements, segment_s)
    Console(highlight=False).print(f"written to {path}")


def kinds() -> dict[str, AugmentationConfig]:
    """What is done to examples, by name."""
    return {
        "none": AugmentationConfig(),
        "papers, no repitch": PAPERS,
        "papers": PAPERS.model_copy(update={"repitch": 0.2}),
        "starter": load_training_config("starter").augmentation,
    }


def write_songs(folder: Path, suffix: str) -> list[TrackFolder]:
    """Songs of noise that swells and fades, which a flac makes a quarter smaller."""
    rng = np.random.default_rng(0)
    time_s = np.arange(SONG_S * RATE) / RATE
    loudness = 0.3 * np.abs(np.sin(np.pi * time_s / 7))[:, None]
    for number in range(SONGS):
        song = folder / suffix / f"song-{number}"
        song.mkdir(parents=True)
        for stem in STEMS:
            noise = loudness * rng.standard_normal((len(time_s), 2))
            soundfile.write(song / f"{stem}.{suffix}", noise, RATE, subtype="PCM_16")
    return find_tracks(folder / suffix, STEMS, RATE, 2)


def measure(
    tracks: list[TrackFolder],
    changes: str,
    config: AugmentationConfig,
    reach: int,
    count: int,
    folder: Path,
) -> Measurement:
    """Make examples for which `reach` samples of every stem are read."""
    augment = Augmentation.from_config(config, RATE)
    segment = reach
    while augment.needs(segment) > reach:
        segment -= 1024
    data = Examples(
        tracks,
        segment,
        config,
        sample_rate=RATE,
        count=count + 1,
        seed=0,
        data=DataConfig(draw="grid"),
        cache=folder / "cache",
    )
    data[count]  # the first one finds memory and code cold
    suffix = tracks[0].stems[0].suffix[1:]
    start = time.process_time()
    for index in track(range(count), description=f"{suffix}, {changes}", transient=True):
        data[index]
    cpu_s = (time.process_time() - start) / count
    size = sum(stem.stat().st_size for one in tracks for stem in one.stems)
    mib = size / 2**20 * reach / (SONGS * SONG_S * RATE)
    return Measurement(format=suffix, changes=changes, cpu_s=cpu_s, mib=mib)


def report(measurements: list[Measurement], segment_s: float) -> None:
    """Print a table."""
    table = Table(title=f"training examples, {segment_s:g} s of four stereo stems")
    table.add_column("files")
    table.add_column("changes")
    for heading in ("ms per example", "examples/s per core", "MiB/s from disk per core"):
        table.add_column(heading, justify="right")
    for one in measurements:
        table.add_row(
            one.format,
            one.changes,
            f"{1e3 * one.cpu_s:.0f}",
            f"{one.per_core:.1f}",
            f"{one.mib * one.per_core:.0f}",
        )
    Console(highlight=False).print(table)


if __name__ == "__main__":
    typer.run(main)
