"""Files that appear under their name only when they are whole."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["whole_file"]


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Another name to write a file under, which becomes its own when the block ends.

    No reader ever meets half of it, and when writing fails or the process dies an older file of
    the name is as it was. Several processes may write the same one; the last that ends it counts.

    Args:
        path: the file; its folder is made where missing.

    Yields:
        A path in the same folder, at which nothing is yet. It is gone after an error.

    Raises:
        OSError: it cannot be written; the caller knows what to advise.
    """
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield part
        with part.open("r+b") as file:
            os.fsync(file.fileno())  # the name must not change hands before the content is there
        part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
