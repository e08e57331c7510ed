"""`--help` is what one reads while waiting for nothing: no slow import may stand before it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from streamsep.cli.app import app

if TYPE_CHECKING:
    from typer.models import CommandInfo

PROGRAM = """
import contextlib, io, json, sys
from streamsep.cli import main
loaded = {}
for command in json.loads(sys.argv[1]):
    sys.argv = ["streamsep", *command, "--help"]
    with contextlib.redirect_stdout(io.StringIO()) as page, contextlib.suppress(SystemExit):
        main()
    assert "Usage: streamsep" in page.getvalue(), command
    loaded[" ".join(command)] = sorted(set(sys.modules) & set(SLOW))
print(json.dumps(loaded))
"""
SLOW = ("torch", "numpy", "scipy", "matplotlib", "soundfile", "rich", "yaml")


def grouped() -> list[tuple[str, CommandInfo]]:
    """Commands of commands, each with the name of the first."""
    return [
        (str(group.name), command)
        for group in app.registered_groups
        for command in (group.typer_instance.registered_commands if group.typer_instance else [])
    ]


def test_help_imports_nothing_slow() -> None:
    direct = [[command.name] for command in app.registered_commands]
    groups = [[group.name] for group in app.registered_groups]
    nested = [[name, command.name] for name, command in grouped()]
    commands = [[], *direct, *groups, *nested]
    program = PROGRAM.replace("SLOW", repr(SLOW))
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(commands)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout)
    assert len(loaded) == len(commands) > 7
    assert {command: slow for command, slow in loaded.items() if slow} == {}


def test_every_command_says_what_it_does() -> None:
    for command in [*app.registered_commands, *(command for _, command in grouped())]:
        assert command.callback is not None
        assert command.callback.__doc__
