"""The options of every command that talks to an engine: where it is, and with which keys."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bridge.keys import ClientKeys
    from bridge.run_folder import Endpoints

__all__ = ["EngineAddress", "KeysFolder", "find_engine"]

EngineAddress = Annotated[
    str | None,
    typer.Option(
        "--engine",
        metavar="tcp://HOST:PORT",
        envvar="STREAMSEP_ENGINE",
        help="Where the engine is.",
        show_default="this user's engine on this machine",
    ),
]

KeysFolder = Annotated[
    Path | None,
    typer.Option("--keys", metavar="FOLDER", help="Keys for an engine on another machine."),
]


def find_engine(address: str | None, keys: Path | None) -> tuple[Endpoints, ClientKeys | None]:
    """The addresses of an engine's sockets and the keys to use there.

    Raises:
        ConfigError: the address or the keys are wrong, or somebody else could serve where this
            user's engine would.
    """
    from bridge.run_folder import tcp_endpoints, users_endpoints

    endpoints = tcp_endpoints(address) if address else users_endpoints()
    if keys is None:
        return endpoints, None
    from bridge.keys import ClientKeys

    return endpoints, ClientKeys.load(keys)
