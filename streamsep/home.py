"""Paths that begin at somebody's home."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["from_home"]


def from_home(path: str | Path) -> Path:
    """A path in which ~ and ~somebody are folders; it stays as it is where nobody has that name.

    `Path.expanduser` raises then, but such a path is merely one at which nothing is.
    """
    return Path(os.path.expanduser(path))  # noqa: PTH111 - the one that does not raise
