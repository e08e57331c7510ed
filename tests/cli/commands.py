"""Running subcommands inside the test's process, and the whole command outside it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import typer
from typer.testing import CliRunner

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

__all__ = ["run", "streamsep"]


def run(function: Callable[..., Any], *arguments: object, **environment: str) -> Result:
    """Run one subcommand here; an error of ours is in the result's `exception`."""
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(function)
    # Wide enough for no line of a table to be broken.
    environment = {"COLUMNS": "200", **environment}
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env=environment)


def streamsep(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the real thing in a process of its own."""
    command = [sys.executable, "-m", "streamsep", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
