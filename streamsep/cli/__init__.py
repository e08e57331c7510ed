"""The one command, `streamsep`."""

from streamsep.cli.app import main

__all__ = ["main"]
