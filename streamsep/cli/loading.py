"""What commands that need a network share: the device, the download's progress, the warning."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from pathlib import Path

    from streamsep.models import LoadedModel

__all__ = ["announce_model", "choose_device", "load_with_progress"]


def choose_device(wanted: str) -> str:
    """The device of a name; ``auto`` is CUDA, else Apple's GPU, else the CPU."""
    import torch

    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def load_with_progress(
    name: str, *, device: str, cache_dir: Path | None, download: bool
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
            name, cache_dir=cache_dir, device=device, download=download, progress=show
        )


def announce_model(model: LoadedModel, *, quiet: bool) -> None:
    """Say which network it is. If it is not the one that was wanted, the registry has warned."""
    if not quiet:
        typer.echo(f"model: {model.name} (licence: {model.licence})")
