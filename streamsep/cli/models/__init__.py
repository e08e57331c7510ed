"""`streamsep models`: the list of networks, and what one does with their files."""

from __future__ import annotations

import typer

from streamsep.cli.models.convert import convert
from streamsep.cli.models.fetch import fetch
from streamsep.cli.models.info import info
from streamsep.cli.models.listing import models, torch_hub_folder
from streamsep.cli.shared_options import AsJson, CacheDir
from streamsep.errors import ConfigError

__all__ = ["commands", "models", "torch_hub_folder"]

commands = typer.Typer(
    help="List the networks, or say more about one, fetch it, convert its file.",
    rich_markup_mode=None,
)
"""The command with its subcommands; without one of them it lists the networks."""

commands.command("info")(info)
commands.command("fetch")(fetch)
commands.command("convert")(convert)


@commands.callback(invoke_without_command=True)
def _list(context: typer.Context, cache_dir: CacheDir = None, as_json: AsJson = False) -> None:
    """List the networks, best first; or say more about one, fetch it, convert its file."""
    if context.invoked_subcommand is None:
        models(cache_dir=cache_dir, as_json=as_json)
        return
    for name in ("cache_dir", "as_json"):
        if getattr(context.get_parameter_source(name), "name", None) == "COMMANDLINE":
            option = {"cache_dir": "--cache-dir", "as_json": "--json"}[name]
            raise ConfigError(
                f"{option} stands before '{context.invoked_subcommand}', expected after it"
            )
