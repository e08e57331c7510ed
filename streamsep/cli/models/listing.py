"""The list of networks: where their files are, and which one `auto` takes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from streamsep.cli.models.installed import installed_as_dicts, show_installed
from streamsep.cli.screen import new_table, output, readable_size, show_json
from streamsep.cli.shared_options import AsJson, CacheDir
from streamsep.home import from_home

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamsep.config import BagSummary, ModelCard
    from streamsep.models.registry import AvailableModel

__all__ = ["models", "torch_hub_folder"]


def models(cache_dir: CacheDir = None, as_json: AsJson = False) -> None:
    """List the networks, best first: how good they are, on what terms, and where they lie."""
    from streamsep.models.installed import installed_networks
    from streamsep.models.registry import available_models

    found = available_models(cache_dir, hub_dir=torch_hub_folder())
    automatic = _automatic(found)
    installed = installed_networks(taken=[model.card.name for model in found])
    if as_json:
        entries = [_as_dict(model, automatic=model is automatic) for model in found]
        show_json(entries + installed_as_dicts(installed))
    else:
        _show(found, automatic)
        show_installed(installed)


def torch_hub_folder() -> Path:
    """Where torch keeps downloads: what `torch.hub.get_dir()` says, without importing torch."""
    caches = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"))
    return from_home(os.environ.get("TORCH_HOME", caches / "torch")) / "hub"


def _automatic(found: Sequence[AvailableModel]) -> AvailableModel | None:
    """The network that "auto" takes now: the best official one at hand, else the best one."""
    official = [model for model in found if model.card.official]
    at_hand = [model for model in official if model.path is not None]
    return next(iter(at_hand or official), None)


def _where(model: AvailableModel) -> str:
    if model.card.packaged:
        return "packaged" if model.path else "missing"
    return "cached" if model.path else "download"


def _as_dict(model: AvailableModel, *, automatic: bool) -> dict[str, object]:
    card = model.card
    return {
        "name": card.name,
        "description": card.description,
        "architecture": card.architecture,
        "sources": list(card.sources),
        "sample_rate": card.sample_rate,
        "channels": card.channels,
        "where": _where(model),
        "path": str(model.path) if model.path else None,
        "url": card.url,
        "size_bytes": model.size_bytes,
        "sdr_db": card.quality.sdr_db if card.quality else None,
        "sdr_source": card.quality.source if card.quality else None,
        "licence": card.licence,
        "training": card.training,
        "official": card.official,
        "auto": automatic,
    }


def _show(found: Sequence[AvailableModel], automatic: AvailableModel | None) -> None:
    from rich.text import Text

    table = new_table(["model"], last="about")
    for model in found:
        name = Text.assemble((model.card.name, "bold"), "\n← auto" if model is automatic else "")
        table.add_row(name, _about(model), end_section=True)
    output().print(table)
    if automatic is not None and automatic.path is None:
        output().print(
            f"'auto' will download {automatic.card.name}; where that fails it takes the starter "
            "and says so."
        )


def _about(model: AvailableModel) -> str:
    card = model.card
    return "\n".join(
        [
            card.description,
            f"stems: {', '.join(card.sources)}",
            f"quality: {_quality(card)}",
            f"licence: {card.licence}",
            f"file: {_file(model)}",
        ]
    )


def _quality(card: ModelCard | BagSummary) -> str:
    if card.quality is None:
        return "no published figure"
    return f"SDR {card.quality.sdr_db:.2f} dB ({card.quality.source})"


def _file(model: AvailableModel) -> str:
    if model.path is not None:
        size = readable_size(model.size_bytes or 0)
        return f"{'in the package' if model.card.packaged else model.path}, {size}"
    if model.card.packaged:
        return "missing from the package; reinstall streamsep"
    size = f", {readable_size(model.size_bytes)}" if model.size_bytes else ""
    return f"to download{size}"
