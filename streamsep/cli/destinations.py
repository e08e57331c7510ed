"""Where a command may write: looked at before it works, not after."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from streamsep.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Force", "check_nothing_replaced", "is_there", "takes_files"]

Force = Annotated[bool, typer.Option("--force", help="Replace OUT if it is there.")]
"""Option of subcommands that write what has a name that was typed."""


def check_nothing_replaced(*paths: Path, force: bool) -> None:
    """Let nobody lose a file for a name that was typed without looking.

    Args:
        paths: what is going to be written.
        force: replace what is there.

    Raises:
        OutputError: one of them is there.
    """
    for path in paths:
        if not force and is_there(path):
            raise OutputError(
                f"{path} is already there; choose another name or add --force to replace it"
            )


def is_there(path: Path) -> bool:
    """Whether anything has this name; nothing has where one may not look."""
    try:
        return path.exists()
    except OSError:
        return False


def takes_files(folder: Path) -> bool:
    """Whether files can be made in a folder that is there or has yet to be made."""
    folder = folder.absolute()
    there = next(each for each in (folder, *folder.parents) if is_there(each))
    # By the rights that opening a file goes by; not every system can tell them.
    effective = os.access in os.supports_effective_ids
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK, effective_ids=effective)
