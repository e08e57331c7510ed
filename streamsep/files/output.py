"""Results as files: each appears under its name only when it is whole, or one line says why not.

`streamsep.whole_file` is how; here is what most who write results want of it: the whole content at
once, and an error that a person can act on.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from streamsep.errors import OutputError
from streamsep.whole_file import whole_file

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["check_writable", "write_whole"]


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file under another name first, so that no reader ever meets half of it.

    Args:
        path: the file; its folder is made where missing, and what has its name is replaced.
        content: text is written as UTF-8.

    Raises:
        OutputError: the file cannot be written; an older one of its name is as it was.
    """
    # Not every name of a file is text; what is not is written as escapes.
    data = content.encode(errors="backslashreplace") if isinstance(content, str) else content
    try:
        with whole_file(path) as part:
            part.write_bytes(data)
    except OSError as error:
        raise OutputError(
            f"cannot write '{path}': {error.strerror or error}; choose another output folder"
        ) from error


def check_writable(folder: Path) -> None:
    """Find out before hours of work whether their results can be kept; makes the folder.

    Raises:
        OutputError: nothing can be written there.
    """
    trial = folder / f".{secrets.token_hex(8)}.part"
    write_whole(trial, b"")
    with suppress(OSError):
        trial.unlink()
