"""How fast an engine was, in a form that the one after it can read."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

__all__ = ["Measurements"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurements:
    """How fast an engine was: one that takes its place need not find out again.

    Attributes:
        segment_s: seconds to compute a segment of the default preset.
        hops_s: seconds to compute a hop of the presets whose streams are followed, by name.
    """

    segment_s: float
    hops_s: dict[str, float]

    def to_json(self) -> str:
        """In one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Measurements:
        """What `to_json` made."""
        return cls(**json.loads(text))
