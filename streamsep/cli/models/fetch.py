"""`streamsep models fetch`: download networks before they are needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from streamsep.cli.download_bar import DownloadBar
from streamsep.cli.models.finding import cards_of, find_available
from streamsep.cli.models.listing import torch_hub_folder
from streamsep.cli.screen import readable_size
from streamsep.cli.shared_options import CacheDir

if TYPE_CHECKING:
    from pathlib import Path

    from streamsep.config import ModelCard
    from streamsep.models.places import Places

__all__ = ["fetch"]

Names = Annotated[
    list[str], typer.Argument(metavar="NAME...", help="Networks and bags that are listed.")
]


def fetch(names: Names, cache_dir: CacheDir = None) -> None:
    """Download networks, and check those that are already here.

    What was interrupted goes on where it stopped. A file gets its name only once it is whole and
    its checksum is right.
    """
    from streamsep.models.places import Places
    from streamsep.models.registry import available_models

    hub = torch_hub_folder()
    available = {model.card.name: model for model in available_models(cache_dir, hub_dir=hub)}
    wanted = [find_available(name, available) for name in names]
    places = Places(cache_dir, hub)
    for card in dict.fromkeys(card for model in wanted for card in cards_of(model.card)):
        path = _obtain(card, places)
        typer.echo(f"{card.name}: {path}, {readable_size(path.stat().st_size)}")


def _obtain(card: ModelCard, places: Places) -> Path:
    """The whole, checked file of a network."""
    from streamsep.errors import DownloadError
    from streamsep.models import download

    path = places.find(card)
    destination = places.destination(card)
    if card.url is None:
        if path is None:
            raise DownloadError(
                f"{card.name} comes with streamsep and is missing at {destination}; reinstall "
                "streamsep"
            )
        return path
    with DownloadBar(card.name) as bar:
        # A file that is already there is checked and, if it is right, kept.
        target = path or destination
        download.fetch(
            card.url,
            target,
            sha256=card.sha256,
            size_bytes=card.exact_size_bytes,
            progress=bar.show,
        )
    return target
