"""What `streamsep models` says of the networks that other packages bring along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamsep.cli.screen import new_table, output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamsep.models.installed import InstalledNetwork

__all__ = ["installed_as_dicts", "show_installed"]


def installed_as_dicts(networks: Sequence[InstalledNetwork]) -> list[dict[str, Any]]:
    """The networks for other programs, with the keys that all networks have and two more."""
    return [
        {
            "name": network.name,
            "description": network.card.description,
            "architecture": None,
            "sources": list(network.card.sources),
            "sample_rate": network.card.sample_rate,
            "channels": network.card.channels,
            "where": "installed",
            "path": None,
            "url": None,
            "size_bytes": None,
            "sdr_db": None,
            "sdr_source": None,
            "licence": network.card.licence,
            "training": network.card.training,
            "official": False,
            "auto": False,
            "distribution": network.distribution,
            "problem": network.problem,
        }
        for network in networks
    ]


def show_installed(networks: Sequence[InstalledNetwork]) -> None:
    """Print the networks as a table, unless there are none."""
    from rich.text import Text

    if not networks:
        return
    table = new_table(["installed"], last="about")
    for network in networks:
        table.add_row(Text(network.name, "bold"), _about(network))
    output().print(table)


def _about(network: InstalledNetwork) -> str:
    card = network.card
    package = f"package: {network.distribution}"
    if network.problem is not None:
        return f"{package}\ncannot be used: {network.problem}"
    stems = [f"stems: {', '.join(card.sources)}"] if card.sources else []
    about = [card.description] if card.description else []
    return "\n".join([*about, *stems, f"licence: {card.licence}", package])
