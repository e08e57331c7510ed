"""`streamsep export`: a network as a program that torch alone can run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamsep.cli.destinations import Force, check_nothing_replaced
from streamsep.cli.shared_options import CacheDir, Download, LatencyPresetName, Segment
from streamsep.cli.track_batch import live_tiling
from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from streamsep.models import LoadedModel

__all__ = ["export"]


def export(
    network: Annotated[
        str, typer.Argument(metavar="NETWORK", help="A name of 'streamsep models', or a file.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT.pt2", help="The program.")],
    segment: Segment = None,
    force: Force = False,
    latency_preset: LatencyPresetName = None,
    cache_dir: CacheDir = None,
    download: Download = True,
) -> None:
    """Write a network as a program of torch.export, and a YAML file that describes it.

    The program takes segments of one length: what a latency preset needs, --segment, or what the
    network is given for files. 'streamsep separate -n OUT.pt2' runs it.
    """
    if segment is not None and latency_preset is not None:
        raise ConfigError("--segment and --latency-preset both say how long: leave one out")
    from streamsep.cli.loading import file_tiling, load_with_progress
    from streamsep.models.exported.exporting import description_path, export_network

    description = description_path(out)
    check_nothing_replaced(out, description, force=force)
    live = live_tiling(latency_preset)
    model = load_with_progress(network, device="cpu", cache_dir=cache_dir, download=download)
    tiling = live.fitted_to(model) if live else file_tiling(model, segment, None)
    difference = export_network(model, out, segment=tiling.segment, training=_training(model))
    typer.echo(
        f"{out} and {description.name}: '{model.name}' for segments of "
        f"{tiling.segment} samples, equal to it within {difference:.1g} of the RMS"
    )


def _training(model: LoadedModel) -> str:
    """What the network was trained on, as far as its card or its file says."""
    from streamsep.models.checkpoints import read_header

    if said := getattr(model.card, "training", None):
        return str(said)
    header = read_header(model.path)
    return header.training if header else "unknown"
