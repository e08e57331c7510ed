"""The names of a network's stems as one value of WELCOME: joined by commas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.protocol.limits import LARGEST_STEM_LIST, MOST_STEMS
from streamsep.errors import LocalProtocolError, RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["join_stems", "split_stems"]


def join_stems(names: Sequence[str]) -> str:
    """Write a list of stems.

    Raises:
        LocalProtocolError: no reader could tell from it which stems there are.
    """
    if not 1 <= len(names) <= MOST_STEMS:
        raise LocalProtocolError(f"{len(names)} stems, expected 1 to {MOST_STEMS}")
    for name in names:
        if not name or "," in name or not name.isprintable():
            raise LocalProtocolError(
                f"a stem is called {name!r:.60}, expected a printable name without commas"
            )
        if names.count(name) > 1:
            raise LocalProtocolError(f"the stem '{name}' comes twice, expected every name once")
    joined = ",".join(names)
    size = len(joined.encode())
    if size > LARGEST_STEM_LIST:
        raise LocalProtocolError(
            f"the names of the stems take {size} bytes, at most {LARGEST_STEM_LIST} allowed"
        )
    return joined


def split_stems(text: str) -> tuple[str, ...]:
    """Read what `join_stems` wrote, or what another implementation did.

    Raises:
        RemoteProtocolError: it is no list of stems.
    """
    names = tuple(text.split(","))
    if len(names) > MOST_STEMS or len(set(names)) < len(names) or not all(names):
        raise RemoteProtocolError(f"no list of stems: {text!r}")
    return names
