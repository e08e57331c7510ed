"""Running subcommands inside the test's process, and the whole command outside it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import typer
from typer.testing import CliRunner

from streamsep.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

__all__ = ["Ended", "run", "streamsep", "typed"]


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    def check_one_line(self, code: int, said: str) -> None:
        """Nothing but one clear line on the error stream."""
        assert said in self.err
        assert len(self.err.splitlines()) == 1, self.err
        assert self.err.startswith("streamsep: ")
        assert "Traceback" not in self.out + self.err
        assert self.code == code


def run(function: Callable[..., Any], *arguments: object, **environment: str) -> Result:
    """Run one subcommand here; an error of ours is in the result's `exception`."""
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(function)
    # Wide enough for no line of a table to be broken.
    environment = {"COLUMNS": "200", **environment}
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env=environment)


def typed(capsys: pytest.CaptureFixture[str], *words: object) -> Ended:
    """Type `streamsep WORDS`, inside this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["streamsep", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
    printed = capsys.readouterr()
    return Ended(int(ended.value.code or 0), printed.out, printed.err)


def streamsep(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the real thing in a process of its own."""
    command = [sys.executable, "-m", "streamsep", *map(str, arguments)]
    environment = {**os.environ, **environment}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, env=environment
    )
