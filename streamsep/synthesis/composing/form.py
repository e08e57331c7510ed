"""The plan of a song: which sections it has and who plays in each.

A band that always plays together teaches a network that silence never happens. Here parts come
and go: an intro without drums, a verse without the pad, a breakdown, bars without a singer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

__all__ = ["Section", "plan_sections"]

PRESENCE: dict[str, dict[str, float]] = {
    "intro": {"kit": 0.5, "percussion": 0.5, "bass": 0.6, "voice": 0.2, "backing": 0.1},
    "verse": {"kit": 0.96, "percussion": 0.6, "bass": 0.96, "voice": 0.8, "backing": 0.25},
    "chorus": {"kit": 1.0, "percussion": 0.9, "bass": 1.0, "voice": 0.92, "backing": 0.85},
    "breakdown": {"kit": 0.25, "percussion": 0.5, "bass": 0.5, "voice": 0.6, "backing": 0.4},
    "solo": {"kit": 1.0, "percussion": 0.7, "bass": 1.0, "voice": 0.0, "backing": 0.1},
}
ACCOMPANIMENT_PRESENCE = 0.8
ENERGY = {"intro": 0.35, "verse": 0.55, "chorus": 0.9, "breakdown": 0.3, "solo": 0.8}


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of the song.

    Attributes:
        start: first step.
        end: the step after the last.
        kind: ``intro``, ``verse``, ``chorus``, ``breakdown`` or ``solo``.
        energy: how full the playing is, 0..1.
        playing: names of the parts that play.
    """

    start: int
    end: int
    kind: str
    energy: float
    playing: frozenset[str]


def plan_sections(
    rng: np.random.Generator, bars: int, steps_per_bar: int, roster: Sequence[str]
) -> tuple[Section, ...]:
    """Divide a song into sections and send every member of the roster into some of them.

    Args:
        rng: where the choices come from.
        bars: length of the song, bars.
        steps_per_bar: length of a bar, steps.
        roster: names of the parts: ``kit``, ``percussion``, ``bass``, ``voice``, ``backing``;
            any other name is accompaniment.
    """
    lengths = _draw_lengths(rng, bars)
    kinds = _draw_kinds(rng, len(lengths))
    playing = [{name for name in roster if rng.random() < _presence(k, name)} for k in kinds]
    busiest = kinds.index("chorus") if "chorus" in kinds else 0
    for name in roster:
        if not any(name in members for members in playing):
            playing[busiest].add(name)
    for members in playing:
        if not members:
            members.add(roster[int(rng.integers(len(roster)))])
    sections, bar = [], 0
    for length, kind, members in zip(lengths, kinds, playing, strict=True):
        energy = min(max(ENERGY[kind] + 0.12 * float(rng.standard_normal()), 0.1), 1.0)
        start, end = bar * steps_per_bar, (bar + length) * steps_per_bar
        sections.append(Section(start, end, kind, energy, frozenset(members)))
        bar += length
    return tuple(sections)


def _presence(kind: str, name: str) -> float:
    return PRESENCE[kind].get(name, ACCOMPANIMENT_PRESENCE)


def _draw_lengths(rng: np.random.Generator, bars: int) -> list[int]:
    lengths: list[int] = []
    while bars > 0:
        choices = [2, 4] if bars <= 8 else [2, 4, 4, 8]
        length = choices[int(rng.integers(len(choices)))]
        # A lone last bar would be too short to be a section of its own.
        length = bars if bars - length <= 1 else length
        lengths.append(length)
        bars -= length
    return lengths


def _draw_kinds(rng: np.random.Generator, count: int) -> list[str]:
    if count == 1:
        return ["chorus" if rng.random() < 0.6 else "verse"]
    cycle = ["verse", "chorus", "verse", "chorus", "breakdown", "chorus", "solo", "chorus"]
    start = int(rng.integers(len(cycle)))
    kinds = [cycle[(start + i) % len(cycle)] for i in range(count)]
    if rng.random() < 0.4:
        kinds[0] = "intro"
    return kinds
