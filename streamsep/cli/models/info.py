"""`streamsep models info`: what a file of weights, or a network of the registry, is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamsep.cli.destinations import is_there
from streamsep.cli.models.finding import cards_of
from streamsep.cli.models.listing import torch_hub_folder
from streamsep.cli.screen import new_table, output, readable_size, show_json
from streamsep.cli.shared_options import AsJson, CacheDir
from streamsep.home import from_home

if TYPE_CHECKING:
    from streamsep.config import ModelCard
    from streamsep.models import LoadedModel
    from streamsep.models.registry import AvailableModel

__all__ = ["info"]

_HEADINGS = {"size_bytes": "size", "sdr_db": "SDR in dB", "sdr_source": "measured on"}

Target = Annotated[
    str, typer.Argument(metavar="FILE|NAME", help="A file of weights, or a name that is listed.")
]


def info(target: Target, cache_dir: CacheDir = None, as_json: AsJson = False) -> None:
    """Say what a network is: architecture, options, stems, size, terms, checksum.

    A file is read to its end, so what is said of it is true of a file that can be used. A network
    of the registry that is not here is described by its card.
    """
    from streamsep.config.network_name import network_name
    from streamsep.models.registry import available_models, load_model

    available = available_models(cache_dir, hub_dir=torch_hub_folder())
    named = {model.card.name: model for model in available}
    path = from_home(target)
    if target in named:
        facts = _of_registry(named[target], named)
    elif is_there(path) and path.is_file() and not _described(path):
        facts = {"name": network_name(path), "path": str(path), **_of_file(path)}
    else:
        # A bag or a program with a description, what a package brings along, or an unknown name.
        facts = _of_loaded(load_model(target, cache_dir=cache_dir, download=False))
    if as_json:
        show_json(facts)
    else:
        _show(facts)


def _described(path: Path) -> bool:
    """Whether a file is described by a YAML file, or is one."""
    from streamsep.config.network_description import find_description

    return path.suffix in (".yaml", ".yml") or find_description(path) is not None


def _of_file(path: Path) -> dict[str, Any]:
    """What a file of weights says, and what it is."""
    import dataclasses
    import hashlib

    from streamsep.models.architectures import architecture_of
    from streamsep.models.checkpoints import read_checkpoint

    read = read_checkpoint(path)
    network = read.network
    options = dataclasses.asdict(network.config)
    apart = ("sources", "audio_channels", "sample_rate")
    with path.open("rb") as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "format": read.file_format,
        "architecture": architecture_of(network).name,
        "options": {name: value for name, value in options.items() if name not in apart},
        "sources": list(network.sources),
        "sample_rate": network.sample_rate,
        "channels": network.channels,
        "stride": network.stride,
        "parameters": sum(weight.numel() for weight in network.parameters()),
        "stored_as": read.stored_as,
        "size_bytes": path.stat().st_size,
        "sha256": checksum,
        "licence": read.licence or "unknown",
        "training": read.training or "unknown",
    }


def _of_registry(model: AvailableModel, named: dict[str, AvailableModel]) -> dict[str, Any]:
    """What a card says, and its file if that is here."""
    card = model.card
    members = cards_of(card)
    single: ModelCard | None = members[0] if members[0] is card else None
    facts: dict[str, Any] = {
        "name": card.name,
        "description": card.description,
        "architecture": card.architecture,
        "sources": list(card.sources),
        "sample_rate": card.sample_rate,
        "channels": card.channels,
    }
    if single is None:
        facts["members"] = [
            {"name": each.name, "path": _text(named[each.name].path)} for each in members
        ]
    if single is not None and model.path is not None:
        facts |= _of_file(model.path)
        if single.sha256 is not None:
            facts["as_published"] = facts["sha256"].startswith(single.sha256)
    facts |= {
        "path": _text(model.path),
        "url": card.url,
        "size_bytes": model.size_bytes,
        "licence": card.licence,
        "training": card.training,
        "sdr_db": card.quality.sdr_db if card.quality else None,
        "sdr_source": card.quality.source if card.quality else None,
    }
    if single is not None:
        facts.setdefault("sha256", single.sha256)
    return facts


def _of_loaded(model: LoadedModel) -> dict[str, Any]:
    """What is known of a network that streamsep did not build."""
    return {
        "name": model.name,
        "path": str(model.path),
        "architecture": type(model.separator).__name__,
        "sources": list(model.sources),
        "sample_rate": model.sample_rate,
        "channels": model.channels,
        "stride": model.stride,
        "members": [str(path) for path in model.member_files] or None,
        "licence": model.licence,
    }


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _show(facts: dict[str, Any]) -> None:
    """Print a line for every fact that there is."""
    table = new_table([facts["name"]], last=" ")
    for name, value in facts.items():
        if name != "name" and value is not None:
            heading = _HEADINGS.get(name, name.replace("_", " "))
            table.add_row(heading, _readable(name, value))
    output().print(table)


def _readable(name: str, value: Any) -> str:
    if name == "size_bytes":
        return readable_size(value)
    if name == "parameters":
        return f"{value:,}"
    if name == "options":
        return ", ".join(f"{option} {setting}" for option, setting in value.items())
    if name == "members":
        return "\n".join(each if isinstance(each, str) else _member(each) for each in value)
    if name == "as_published":
        return "yes" if value else "no: the checksum is another one; delete the file and fetch it"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _member(member: dict[str, Any]) -> str:
    return f"{member['name']}: {member['path'] or 'to download'}"
