"""Assembles the subcommands and turns every foreseen error into one line and exit code 2.

A subcommand is a module here with one function. What it needs beyond the standard library and typer
it imports inside that function: `streamsep --help` must not wait for torch.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Annotated, NoReturn

import typer

from streamsep.cli.bench import bench
from streamsep.cli.board import board
from streamsep.cli.demo import demo
from streamsep.cli.devices import devices
from streamsep.cli.doctor import doctor
from streamsep.cli.evaluate import evaluate
from streamsep.cli.export import export
from streamsep.cli.keys import keys
from streamsep.cli.listen import listen
from streamsep.cli.live import live
from streamsep.cli.midi import midi
from streamsep.cli.models import commands as models_commands
from streamsep.cli.presets import presets
from streamsep.cli.remix import remix
from streamsep.cli.render import render
from streamsep.cli.screen import escape_what_cannot_be_encoded
from streamsep.cli.send import send
from streamsep.cli.separate import separate
from streamsep.cli.serve import serve
from streamsep.cli.status import status
from streamsep.cli.train import train
from streamsep.cli.vst import vst
from streamsep.errors import StreamSepError

__all__ = ["app", "let_threads_sleep", "main"]

app = typer.Typer(
    name="streamsep",
    help="Separate music into drums, bass, other and vocals, from files or while it plays.",
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich's help pages are fancier and take twice as long to appear
    context_settings={"help_option_names": ["-h", "--help"]},
)

USAGE_ERROR = 2
INTERRUPTED = 130


def _show_version(wanted: bool) -> None:
    if wanted:
        from streamsep._version import __version__

        typer.echo(f"streamsep {__version__}")
        raise typer.Exit


@app.callback()
def _top(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say more about what happens.")
    ] = False,
) -> None:
    logging.addLevelName(logging.WARNING, "warning")
    logging.addLevelName(logging.INFO, "info")
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(levelname)s: %(message)s")


app.command("separate")(separate)
app.command("board")(board)
app.command("demo")(demo)
app.add_typer(models_commands, name="models")
app.command("presets")(presets)
app.command("doctor")(doctor)
app.command("bench")(bench)
app.command("render")(render)
app.command("remix")(remix)
app.command("serve")(serve)
app.command("status")(status)
app.command("send")(send)
app.command("listen")(listen)
app.command("keys")(keys)
app.command("live")(live)
app.command("devices")(devices)
app.command("midi")(midi)
app.add_typer(vst, name="vst")
app.command("train")(train)
app.command("evaluate")(evaluate)
app.command("export")(export)


def main() -> None:
    """Run the command line; the exit code is 0, 1 if some of the work failed, 2 or 130."""
    escape_what_cannot_be_encoded()
    let_threads_sleep()
    try:
        # Not typer's own "standalone" mode: that prints usage errors as a page.
        code = app(
            None if sys.argv[1:] else ["--help"], prog_name="streamsep", standalone_mode=False
        )
        sys.stdout.flush()
    except StreamSepError as error:
        _fail(str(error))
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "streamsep"
        _fail(f"{error.format_message().rstrip('.')}; see '{command} --help'")
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has left (`streamsep models | head`): nobody to complain to, and
        # nobody to flush the rest to when the interpreter ends. The code is typer's and rich's.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    # typer itself turns Ctrl-C inside a subcommand into this code.
    if code == INTERRUPTED:
        typer.echo("interrupted", err=True)
    sys.exit(code or 0)


def let_threads_sleep() -> None:
    """Let OpenMP's threads wait awake for each other for a millisecond, and asleep from then on.

    They look for news up to 300,000 times, which takes many turns of a scheduler: whoever waits has
    the processor that the one needs who is waited for, if another program has the other. Alone, a
    file takes as long with either; beside such a program, 5.7 s for 8 to 17.

    The OpenMP that is told so is GNU's, torch's on Linux. It reads this when torch is imported.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "20000")


def _fail(message: str) -> NoReturn:
    typer.echo(f"streamsep: {' '.join(message.split())}", err=True)
    sys.exit(USAGE_ERROR)
