"""What commands that need a network share: the device, the download's progress, the warning."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from streamsep.engine import OverlapConfig
    from streamsep.models import LoadedModel
    from streamsep.models.tuned import Precision

__all__ = ["announce_model", "choose_device", "file_tiling", "load_with_progress"]


def choose_device(wanted: str) -> str:
    """The device of a name; ``auto`` is CUDA, else Apple's GPU, else the CPU."""
    import torch

    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def load_with_progress(
    name: str,
    *,
    device: str,
    cache_dir: Path | None,
    download: bool,
    precision: Precision | None = None,
) -> LoadedModel:
    """Load a network; if it has to be downloaded, show how far it is."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from streamsep.models import load_model

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    console = Console(stderr=True)
    with Progress(
        *columns,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task("downloading the network", start=False, visible=False)

        def show(done: int, total: int | None) -> None:
            bar.start_task(task)
            bar.update(task, completed=done, total=total, visible=True)

        return load_model(
            name,
            cache_dir=cache_dir,
            device=device,
            precision=precision,
            download=download,
            progress=show,
        )


def file_tiling(
    model: LoadedModel, segment_s: float | None, overlap: float | None
) -> OverlapConfig:
    """Segments on the network's grid: hop and segment both multiples of its stride by default."""
    from streamsep.engine import OverlapConfig

    segment, usual = model.segment, model.overlap
    if segment_s is not None:
        # Four strides, so that a quarter of overlap leaves the hop on the grid too.
        grid = 4 * model.stride
        usual = 0.25
        segment = grid * round(segment_s * model.sample_rate / grid)
        if segment < grid:
            raise ConfigError(
                f"--segment {segment_s:g} s is too short for this network, use at least "
                f"{grid / model.sample_rate:.2f} s"
            )
    return OverlapConfig(segment=segment, overlap=usual if overlap is None else overlap)


def announce_model(model: LoadedModel, *, quiet: bool) -> None:
    """Say which network it is. If it is not the one that was wanted, the registry has warned."""
    if not quiet:
        typer.echo(f"model: {model.name} (licence: {model.licence})")
