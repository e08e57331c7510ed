"""`--help` is what one reads while waiting for nothing: no slow import may stand before it."""

from __future__ import annotations

import json
import subprocess
import sys

from streamsep.cli.app import app

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


def test_help_imports_nothing_slow() -> None:
    commands = [[], *([command.name] for command in app.registered_commands)]
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
    for command in app.registered_commands:
        assert command.callback is not None
        assert command.callback.__doc__
