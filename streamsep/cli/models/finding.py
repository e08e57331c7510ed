"""From a name on the command line to what the registry knows about it."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from streamsep.errors import UnknownModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamsep.config import BagSummary, ModelCard
    from streamsep.models.registry import AvailableModel

__all__ = ["cards_of", "find_available"]


def find_available(name: str, available: Mapping[str, AvailableModel]) -> AvailableModel:
    """Look a network or a bag up.

    Raises:
        UnknownModelError: the registry has none of this name.
    """
    if name in available:
        return available[name]
    near = get_close_matches(name, available, n=1)
    hint = f"did you mean '{near[0]}'?" if near else "expected a name that 'streamsep models' lists"
    raise UnknownModelError(f"unknown model '{name}', {hint}")


def cards_of(card: ModelCard | BagSummary) -> tuple[ModelCard, ...]:
    """The networks that something of the registry consists of."""
    from streamsep.config import BagSummary

    return card.members if isinstance(card, BagSummary) else (card,)
