"""How well a network separates, as nSDR per stem, on songs whose stems are known.

    # songs of the built-in bands, by seeds that training never used
    uv run python benchmarks/quality.py synthetic --count 20 --first-seed 900000
    uv run python benchmarks/quality.py synthetic --band sampled --soundfont TimGM6mb.sf2
    # a real multitrack: stem=file, or several files that are summed
    uv run python benchmarks/quality.py stems drums=d.wav bass=b.wav other=guitar.wav,keys.wav
    # a folder of songs, each a folder with drums.wav, bass.wav, other.wav, vocals.wav
    uv run python benchmarks/quality.py folder DIR

The mixture is the sum of the stems. A stem that does not play is left out of the means. Silence
scores 0 dB, the mixture what its line says.
"""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import soundfile
import soxr
import torch
import typer
from rich.console import Console
from rich.table import Table

from streamsep import OverlapConfig, StreamConfig, StreamingSeparator, load_preset, load_separator
from streamsep.engine import NormalisedSeparator
from streamsep.evaluation.nsdr import nsdr_db
from streamsep.offline.statistics import measure
from streamsep.synthesis import STEMS, ProceduralBand, compose

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch import Tensor

    from streamsep.models import LoadedModel

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=__doc__)
Model = Annotated[str, typer.Option("-n", "--model")]
Preset = Annotated[str | None, typer.Option("--latency-preset", help="Default: as a file.")]
Segment = Annotated[int | None, typer.Option(help="Samples per segment, as a file.")]
RATE = 44_100

Song = dict[str, "Tensor"]


@app.command()
def synthetic(
    count: int = 20,
    first_seed: int = 900_000,
    seconds: float = 16.0,
    band: str = "procedural",
    soundfont: list[Path] | None = None,
    model: Model = "starter",
    latency_preset: Preset = None,
    segment: Segment = None,
) -> None:
    """Songs that the built-in band plays, by seeds that training never used."""
    _report(
        _play(band, soundfont, range(first_seed, first_seed + count), seconds),
        model,
        latency_preset,
        segment,
    )


@app.command()
def stems(
    files: Annotated[list[str], typer.Argument(metavar="STEM=FILE[,FILE...]")],
    model: Model = "starter",
    latency_preset: Preset = None,
    segment: Segment = None,
) -> None:
    """One song from files, shorter ones padded with silence."""
    named = dict(item.split("=", 1) for item in files)
    sounds = {
        name: [_read(Path(path)) for path in paths.split(",")] for name, paths in named.items()
    }
    length = max(sound.shape[-1] for group in sounds.values() for sound in group)
    song = {
        stem: sum(
            (_padded(sound, length) for sound in sounds.get(stem, [])), torch.zeros(2, length)
        )
        for stem in STEMS
    }
    _report([("song", song)], model, latency_preset, segment)


@app.command()
def folder(
    songs: Path,
    model: Model = "starter",
    latency_preset: Preset = None,
    segment: Segment = None,
) -> None:
    """All songs of a folder."""
    _report(_read_songs(songs), model, latency_preset, segment)


def _play(
    band: str, soundfonts: list[Path] | None, seeds: Iterable[int], seconds: float
) -> Iterator[tuple[str, Song]]:
    if band == "sampled":
        from streamsep.synthesis.sampled import SampledBand

        players = SampledBand(soundfonts)
    else:
        players = ProceduralBand()
    for seed in seeds:
        song = players.play(compose(seed, seconds), seed)
        yield str(seed), {stem: torch.from_numpy(song.stems[stem]) for stem in STEMS}


def _read_songs(songs: Path) -> Iterator[tuple[str, Song]]:
    for track in sorted(path for path in songs.iterdir() if path.is_dir()):
        files = {stem: next(track.glob(f"{stem}.*"), None) for stem in STEMS}
        if all(files.values()):
            sounds = {stem: _read(path) for stem, path in files.items()}
            length = min(sound.shape[-1] for sound in sounds.values())
            yield track.name, {stem: sound[:, :length] for stem, sound in sounds.items()}


def _read(path: Path) -> Tensor:
    audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
    if rate != RATE:
        audio = soxr.resample(audio, rate, RATE)
    stereo = np.repeat(audio, 2, axis=1) if audio.shape[1] == 1 else audio
    return torch.from_numpy(np.ascontiguousarray(stereo.T))


def _padded(sound: Tensor, length: int) -> Tensor:
    return torch.nn.functional.pad(sound, (0, length - sound.shape[-1]))


def _report(
    songs: Iterable[tuple[str, Song]], model: str, preset: str | None, segment: int | None
) -> None:
    network = load_separator(model)
    table = Table("song", *STEMS, title=f"nSDR in dB, {network.name}: mixture / estimate")
    before: dict[str, list[float]] = {stem: [] for stem in STEMS}
    after: dict[str, list[float]] = {stem: [] for stem in STEMS}
    for name, song in songs:
        mixture = torch.stack(list(song.values())).sum(0)
        estimates = _separate(network, mixture, preset, segment)
        cells = []
        for stem, estimate in zip(network.sources, estimates, strict=True):
            if not song[stem].any():
                cells.append("not playing")
                continue
            before[stem].append(nsdr_db(song[stem], mixture))
            after[stem].append(nsdr_db(song[stem], estimate))
            cells.append(f"{before[stem][-1]:.2f} / {after[stem][-1]:.2f}")
        table.add_row(name, *cells)
    means = [
        f"{statistics.fmean(before[stem]):.2f} / {statistics.fmean(after[stem]):.2f}"
        if after[stem]
        else ""
        for stem in STEMS
    ]
    table.add_row("mean", *means, style="bold")
    Console(highlight=False).print(table)


def _separate(
    network: LoadedModel, mixture: Tensor, preset: str | None, segment: int | None
) -> Tensor:
    if preset is None:
        statistics_ = measure([mixture])
        separator = NormalisedSeparator(network, statistics_.mean, statistics_.deviation)
        stream = StreamingSeparator(separator, OverlapConfig(segment=segment or network.segment))
    else:
        config = StreamConfig.from_preset(load_preset(preset))
        stream = StreamingSeparator(network, config)
    return torch.cat([stream.push(mixture), stream.flush()], dim=-1)


if __name__ == "__main__":
    app()
