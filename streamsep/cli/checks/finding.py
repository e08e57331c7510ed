"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding", "State"]

State = Literal["ok", "missing", "problem"]
"""It works; it is not installed; it is installed and does not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check.

    Attributes:
        name: what was looked at.
        state: how it is.
        detail: what was found: a version, a path, a reason.
        advice: what to do, empty if nothing needs to be done.
        core: True if nothing at all works without it.
    """

    name: str
    state: State
    detail: str
    advice: str = ""
    core: bool = False
