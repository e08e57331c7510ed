"""By what a changed file is recognised, without reading all of it.

Whatever is remembered of a file is kept beside its stamp. Take the stamp before the file is read:
if the file changes meanwhile, what was read is kept under the stamp of what was read, and nobody
takes it for the measure of the new content.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamsep.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FileStamp", "stamp_of"]


@dataclass(frozen=True, slots=True)
class FileStamp:
    """What a file was like when it was last looked at.

    Attributes:
        name: its name without the folder, with what is not text in it escaped.
        size: bytes.
        modified_ns: when it was last changed, nanoseconds since 1970.
    """

    name: str
    size: int
    modified_ns: int


def stamp_of(path: Path) -> FileStamp:
    """The stamp of a file.

    Raises:
        InputError: it is gone, or nobody may look at it.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise InputError(f"'{path}' cannot be read: {error.strerror}; check the path") from error
    name = path.name.encode(errors="backslashreplace").decode()
    return FileStamp(name, found.st_size, found.st_mtime_ns)
