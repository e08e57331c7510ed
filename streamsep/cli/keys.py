"""`streamsep keys`: keys for an engine that is reached over a network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["keys"]


def keys(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Made if it is not there.")],
) -> None:
    """Make the keys of an engine and of one client. Keys that are there are kept.

    The engine's machine needs the whole folder but client.key_secret; the client's needs
    client.key_secret and engine.key. Whoever has a key in FOLDER/clients may come in.
    """
    from bridge.keys import make_keys

    made = make_keys(folder)
    for path in made:
        typer.echo(f"wrote {path}")
    if not made:
        typer.echo(f"all keys are in {folder} already")
