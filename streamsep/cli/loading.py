"""What commands that need a network share: the device, the download's progress, the warning."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import typer

from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from streamsep.engine import OverlapConfig
    from streamsep.models import LoadedModel
    from streamsep.models.tuned import TunedPrecision

__all__ = [
    "announce_model",
    "check_followed",
    "choose_device",
    "file_tiling",
    "load_with_progress",
    "obtain_with_progress",
]


def choose_device(wanted: str) -> str:
    """The device of a name; ``auto`` is CUDA, else Apple's GPU, else the CPU."""
    import torch

    if re.fullmatch(r"cpu:\d+", wanted):
        return "cpu"  # there is but one
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
    precision: TunedPrecision | None = None,
) -> LoadedModel:
    """Load a network; if it has to be downloaded, show how far it is."""
    from streamsep.cli.download_bar import DownloadBar
    from streamsep.models import load_model

    with DownloadBar() as bar:
        return load_model(
            name,
            cache_dir=cache_dir,
            device=device,
            precision=precision,
            download=download,
            progress=bar.show,
        )


def obtain_with_progress(name: str, cache_dir: Path | None) -> str:
    """Download what of a network is missing, and show how far it is.

    Args:
        name: of the network, or its file.
        cache_dir: folder of downloaded networks, the default one if None.

    Returns:
        What to load, as of `obtain_model`.
    """
    from streamsep.cli.download_bar import DownloadBar
    from streamsep.cli.models.listing import torch_hub_folder
    from streamsep.models import obtain_model

    with DownloadBar() as bar:
        return obtain_model(
            name, cache_dir=cache_dir, progress=bar.show, hub_dir=torch_hub_folder()
        )


def check_followed(network: LoadedModel) -> bool:
    """Whether --incremental changes anything; says so if it does not."""
    from streamsep.engine.separator import can_follow

    if can_follow(network):
        return True
    typer.echo(
        f"--incremental changes nothing: '{network.name}' computes every window anew", err=True
    )
    return False


def file_tiling(
    model: LoadedModel, segment_s: float | None, overlap: float | None
) -> OverlapConfig:
    """Segments on the network's grid: hop and segment both multiples of its stride by default."""
    from streamsep.engine import OverlapConfig
    from streamsep.models.file_segments import USUAL_OVERLAP, grid_for_files, nearest_on_grid

    segment, usual = model.segment, model.overlap
    if segment_s is not None:
        grid, wanted = grid_for_files(model.stride), segment_s * model.sample_rate
        usual, segment = USUAL_OVERLAP, nearest_on_grid(wanted, model.stride)
        if wanted <= grid / 2:
            raise ConfigError(
                f"--segment {segment_s:g} s is too short for this network, use at least "
                f"{grid / model.sample_rate:.2f} s"
            )
    return OverlapConfig(segment=segment, overlap=usual if overlap is None else overlap)


def announce_model(model: LoadedModel, *, quiet: bool) -> None:
    """Say which network it is. If it is not the one that was wanted, the registry has warned."""
    if not quiet:
        typer.echo(f"model: {model.name} (licence: {model.licence})")
