"""What several subcommands show: tables, JSON, sizes.

rich is imported when something is shown: `streamsep --help` must not wait for it.
"""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.table import Table

__all__ = [
    "escape_what_cannot_be_encoded",
    "new_table",
    "output",
    "readable_size",
    "show_json",
]


def output() -> Console:
    """Standard output, where results go; messages and progress go to standard error.

    What is printed is text, not markup: clients, ports, devices and songs have names like "[left]".
    """
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


def escape_what_cannot_be_encoded() -> None:
    """Let no command end for a name, or an arrow of ours, that its terminal cannot show.

    What a terminal or a pipe has no characters for is written as escapes.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def show_json(value: object) -> None:
    """Print a value as indented JSON, which is ASCII: other programs read it in any encoding."""
    typer.echo(json.dumps(value, indent=2))


def new_table(texts: Sequence[str], numbers: Sequence[str] = (), last: str = "") -> Table:
    """A table without rows.

    Args:
        texts: headings of the first columns.
        numbers: headings of the columns after them, aligned to the right.
        last: heading of one more column of text.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in texts:
        table.add_column(heading)
    for heading in numbers:
        table.add_column(heading, justify="right")
    if last:
        table.add_column(last, overflow="fold")
    return table


def readable_size(size_bytes: int) -> str:
    """A file size in MB, as download pages give it."""
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes < 10e6 else f"{size_bytes / 1e6:.0f} MB"
