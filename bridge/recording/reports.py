"""What the process that writes a take tells: one line of JSON each, on its standard output."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

__all__ = ["Failed", "Finished", "Report", "Written", "decode", "encode"]


@dataclass(frozen=True, slots=True)
class Written:
    """How far it is.

    Attributes:
        frames: that every file can give back, whatever happens now.
    """

    frames: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The take is complete.

    Attributes:
        frames: of every file.
    """

    frames: int


@dataclass(frozen=True, slots=True)
class Failed:
    """No more can be written; the files are closed.

    Attributes:
        frames: that every file can give back.
        text: what the system says.
    """

    frames: int
    text: str


Report = Written | Finished | Failed
_KINDS: dict[str, type[Report]] = {
    kind.__name__.lower(): kind for kind in (Written, Finished, Failed)
}


def encode(report: Report) -> str:
    """One line, without its end."""
    kind = type(report).__name__.lower()
    return json.dumps({"kind": kind, **dataclasses.asdict(report)})


def decode(line: str) -> Report | None:
    """What `encode` made; None for a line that is something else: libraries print, too."""
    try:
        values = json.loads(line)
        return _KINDS[values.pop("kind")](**values)
    except (ValueError, LookupError, AttributeError, TypeError):
        return None
