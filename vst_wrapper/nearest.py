"""What somebody probably meant who wrote a name that is not there."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["nearest"]


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name.

    Args:
        name: what was written.
        known: what there is.

    Returns:
        The name that is most like it, as a question; all there is if none is.
    """
    choices = sorted(known)
    by_lower = {choice.lower(): choice for choice in choices}
    near = get_close_matches(name.lower(), by_lower, n=1)
    return f"did you mean '{by_lower[near[0]]}'?" if near else f"expected {', '.join(choices)}"
