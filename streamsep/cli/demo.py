"""`streamsep demo`: a song with known stems through the live engine, with figures and a picture."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamsep.cli.destinations import is_there
from streamsep.cli.shared_options import CacheDir
from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from streamsep.engine import FixedLatencySeparator, StreamConfig
    from streamsep.models import LoadedModel

__all__ = ["demo"]

BLOCK = 512
"""Samples per block: what a sound card would hand over."""

_MIXTURE = "mixture"


@dataclass(frozen=True, slots=True)
class _Material:
    """What is played: the mixture [C, T] and, for a song of ours, its stems [C, T] by name."""

    title: str
    mixture: Tensor
    stems: dict[str, Tensor]
    sample_rate: int


def demo(
    song: Annotated[
        Path | None,
        typer.Option(help="Separate this file instead of a song of the built-in band."),
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=1.0, max=600.0, help="Length of the song; a file is cut to it.")
    ] = 20.0,
    seed: Annotated[int, typer.Option(min=0, help="Which song the band plays.")] = 6,
    model: Annotated[
        str,
        typer.Option("-n", "--model", help="The network; the built-in starter needs no download."),
    ] = "starter",
    latency_preset: Annotated[
        str, typer.Option(help="A name from 'streamsep presets', or a file.")
    ] = "live",
    device: Annotated[str, typer.Option("-d", "--device", help="cpu, cuda, mps or auto.")] = "auto",
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for stems and picture.")] = Path(
        "streamsep-demo"
    ),
    cache_dir: CacheDir = None,
) -> None:
    """Play a song through the live engine and show what comes out.

    The song is separated block by block as if it were streaming. Its stems are known, so the
    quality can be measured; with --song they are not.
    """
    from streamsep.cli.loading import announce_model, choose_device, load_with_progress
    from streamsep.config import load_preset
    from streamsep.devices.allocator import keep_freed_memory
    from streamsep.devices.following import follows_streams
    from streamsep.engine import FixedLatencySeparator, StreamConfig, StreamingSeparator

    keep_freed_memory()

    preset = load_preset(latency_preset)
    material = _from_file(song, seconds) if song is not None else _from_band(seed, seconds)
    device = choose_device(device)
    network = load_with_progress(
        model,
        device=device,
        cache_dir=cache_dir,
        download=True,
        precision="float32",
    )
    _check_song_is_kept(song, out, network)
    tiling = StreamConfig.from_preset(preset).fitted_to(network)
    typer.echo(f"song: {material.title}")
    announce_model(network, quiet=False)
    live = FixedLatencySeparator(
        StreamingSeparator(
            network,
            tiling,
            sample_rate=material.sample_rate,
            channels=material.mixture.shape[0],
            device=device,
            incremental=follows_streams(device, None),
        )
    )
    _announce_latency(preset.name, tiling, live.latency, material.sample_rate)
    estimates, block_times_s = _play(live, material.mixture)
    _report_speed(block_times_s, material, tiling, network.sample_rate)
    named = dict(zip(network.sources, estimates, strict=True))
    if material.stems:
        _report_quality(material, named)
    _write(out, material, named, network)


def _from_band(seed: int, seconds: float) -> _Material:
    import torch

    from streamsep.synthesis import synthesise_song

    song = synthesise_song(seed, seconds)
    stems: dict[str, torch.Tensor] = {
        name: torch.from_numpy(stem) for name, stem in song.stems.items()
    }
    title = f"{seconds:g} s by the built-in band (--seed {seed})"
    return _Material(title, torch.from_numpy(song.mixture), stems, song.sample_rate)


def _from_file(path: Path, seconds: float) -> _Material:
    import torch

    from streamsep.files import open_audio

    with open_audio(path) as reader:
        wanted = int(seconds * reader.sample_rate)
        blocks, length = [], 0
        for block in reader.blocks(1 << 16):
            blocks.append(block)
            length += block.shape[-1]
            if length >= wanted:
                break
        mixture = torch.cat(blocks, dim=-1)[:, :wanted]
        return _Material(f"{path}, its first {seconds:g} s", mixture, {}, reader.sample_rate)


def _check_song_is_kept(song: Path | None, out: Path, network: LoadedModel) -> None:
    """Let nobody's song be replaced by what is made of it.

    Raises:
        ConfigError: it would be.
    """
    for name in (_MIXTURE, *network.sources):
        path = _wav(out, name)
        if song is not None and is_there(path) and path.samefile(song):
            raise ConfigError(
                f"'{path}' is the song itself and would be written over; choose another folder "
                "with --out"
            )


def _announce_latency(name: str, tiling: StreamConfig, latency: int, sample_rate: int) -> None:
    typer.echo(
        f"latency preset: {name} (hop {tiling.hop}, look-ahead {tiling.look_ahead}, "
        f"context {tiling.context} samples)\n"
        f"declared latency: {latency} samples, {1000 * latency / sample_rate:.0f} ms"
    )


def _play(live: FixedLatencySeparator, mixture: Tensor) -> tuple[Tensor, list[float]]:
    """Push the mixture [C, T] block by block.

    Returns the stems [S, C, T] without the declared latency, and how long each block took.
    """
    import torch
    from rich.console import Console
    from rich.progress import track

    # The first pass of a network is slow: memory is fetched, kernels are chosen. An engine that
    # serves live audio does that before it is ready, so it is no part of the figures.
    live.push(torch.zeros(mixture.shape[0], 2 * live.latency))
    live.reset()
    outputs, times_s = [], []
    blocks = track(
        torch.split(mixture, BLOCK, dim=-1),
        "separating",
        console=Console(stderr=True),
        transient=True,
    )
    for block in blocks:
        start = time.perf_counter()
        outputs.append(live.push(block))
        times_s.append(time.perf_counter() - start)
    latency = live.latency
    outputs.append(live.flush())
    return torch.cat(outputs, dim=-1)[..., latency:], times_s


def _report_speed(
    times_s: list[float], material: _Material, tiling: StreamConfig, network_rate: int
) -> None:
    duration_s = material.mixture.shape[-1] / material.sample_rate
    hop_ms = 1000 * tiling.hop / network_rate
    # Most blocks only fill the segment; those that complete a hop run the network.
    hops = int((duration_s * network_rate - tiling.look_ahead) // tiling.hop)
    if hops < 1:
        typer.echo(
            f"RTF: not measured (a hop lasts {hop_ms:.0f} ms, and none was complete before the "
            "end: take a longer song)"
        )
        return
    busy_ms = [1000 * seconds for seconds in sorted(times_s)[-hops:]]
    verdict = "keeps up" if busy_ms[-1] < hop_ms else "would fall behind live"
    typer.echo(
        f"RTF: {sum(times_s) / duration_s:.2f} (a hop lasts {hop_ms:.0f} ms and took "
        f"{statistics.median(busy_ms):.0f} ms, at worst {busy_ms[-1]:.0f} ms: "
        f"{verdict} on this machine)"
    )


def _report_quality(material: _Material, estimates: dict[str, Tensor]) -> None:
    import torch
    from rich.table import Table

    from streamsep.audio.nsdr import nsdr_db
    from streamsep.audio.silence import sounding_stems
    from streamsep.cli.screen import output

    table = Table("stem", "mixture", "estimate", title="nSDR in dB (silence scores 0)")
    stems = torch.stack(list(material.stems.values()))
    sounding = sounding_stems(stems, material.mixture, window=material.sample_rate).tolist()
    for (name, stem), sounds in zip(material.stems.items(), sounding, strict=True):
        if name not in estimates:
            continue
        if not sounds:
            table.add_row(name, "not playing", "")
            continue
        before, after = nsdr_db(stem, material.mixture), nsdr_db(stem, estimates[name])
        table.add_row(name, f"{before:.2f}", f"{after:.2f}")
    output().print(table)


def _write(
    out: Path, material: _Material, estimates: dict[str, Tensor], network: LoadedModel
) -> None:
    from streamsep.evaluation.picture import save_spectrograms
    from streamsep.files import Encoding, StemWriter, remove_leftovers

    remove_leftovers(out)
    channels = material.mixture.shape[0]
    comment = {"comment": f"streamsep demo, separated with {network.name}"}
    sounds = {_MIXTURE: material.mixture, **estimates}
    for name, sound in sounds.items():
        path = _wav(out, name)
        with StemWriter(
            path, material.sample_rate, channels, Encoding(), metadata=comment
        ) as writer:
            writer.write(sound)
    picture = out / "spectrograms.png"
    save_spectrograms(picture, sounds, material.sample_rate)
    names = ", ".join(f"{name}.wav" for name in sounds)
    typer.echo(f"written to {out}/: {names}, {picture.name}")


def _wav(out: Path, name: str) -> Path:
    """Where the mixture or a stem goes."""
    return out / f"{name}.wav"
