"""Names of networks and files in records, which are JSON and so UTF-8; names of files need not be.

To Linux a name is bytes. Python holds those that are no UTF-8 as lone surrogates, which no encoder
takes: they are written as escapes.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote_to_bytes

from pydantic import BeforeValidator

__all__ = ["NetworkName", "path_of", "path_text"]

_URI = "file://"


def _escaped(name: object) -> object:
    if not isinstance(name, str):
        return name  # the validation that follows says what is wrong with it
    return name.encode(errors="backslashreplace").decode()


NetworkName = Annotated[str, BeforeValidator(_escaped)]
"""The name of a network, with escapes where it was no UTF-8."""


def path_text(path: Path) -> str:
    """An absolute path as text: as it is, or as a URI where it is no UTF-8."""
    path = path.resolve()
    text = str(path)
    return text if _is_utf8(text) else path.as_uri()


def path_of(text: str) -> Path:
    """The path that `path_text` has made a text of."""
    if not text.startswith(_URI):
        return Path(text)
    return Path(os.fsdecode(unquote_to_bytes(text.removeprefix(_URI))))


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
