"""Writes the drums: a groove that repeats, fills that lead out of sections, and percussion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from streamsep.synthesis.composing.form import Section
    from streamsep.synthesis.composing.styles import Groove
    from streamsep.synthesis.composing.timing import Scribe

__all__ = ["write_kit", "write_percussion"]

BACKBEAT_KEYS = {"snare": (38, 40), "rim": (37,), "clap": (39,)}
TOM_RUN = (50, 48, 47, 45, 43, 41)
CRASHES = (49, 49, 57, 55, 52)
PERCUSSION_KEYS = ((70,), (82,), (54,), (56,), (62, 63, 64), (70, 63, 64), (54, 56))
PERCUSSION_LINES = (
    "9999999999999999", "9393939393939393", "9090909090909090", "0000900000009000",
    "0090009000900090", "9003003000900300", "9009009000900900", "0099009900990099",
)  # fmt: skip
STROKE_STEPS = 1.0


@dataclass(frozen=True, slots=True)
class _Bar:
    """One drawn bar: the steps on which each line strikes."""

    kick: frozenset[int]
    snare: frozenset[int]
    cymbal: frozenset[int]
    ghost: frozenset[int]
    open_hat: frozenset[int]


@dataclass(frozen=True, slots=True)
class _Sticks:
    """What this drummer strikes, throughout a song."""

    kick: int
    snare: int
    ride: bool


def write_kit(scribe: Scribe, sections: Sequence[Section], groove: Groove) -> None:
    """Play the kit through the sections in which ``kit`` plays."""
    rng = scribe.rng
    keys = BACKBEAT_KEYS[groove.backbeat]
    snare = keys[int(rng.integers(len(keys)))]
    kick = 36 if rng.random() < 0.7 else 35
    ride_lover = rng.random() < 0.35
    for i, section in enumerate(sections):
        if "kit" not in section.playing:
            continue
        sticks = _Sticks(kick, snare, ride_lover and section.energy > 0.6)
        if section.energy > 0.5 and rng.random() < 0.8:
            scribe.write(section.start, 8, CRASHES[int(rng.integers(len(CRASHES)))], 0.9)
        fill = i + 1 < len(sections) or rng.random() < 0.3
        _play_section(scribe, section, groove, sticks, with_fill=fill and rng.random() < 0.8)


def write_percussion(scribe: Scribe, sections: Sequence[Section]) -> None:
    """Shaker, tambourine, cowbell or congas through the sections with ``percussion``."""
    rng = scribe.rng
    keys = PERCUSSION_KEYS[int(rng.integers(len(PERCUSSION_KEYS)))]
    line = PERCUSSION_LINES[int(rng.integers(len(PERCUSSION_LINES)))]
    steps = [i for i in range(16) if rng.random() * 9 < int(line[i])]
    hands = [keys[int(rng.integers(len(keys)))] for _ in steps]
    bar_steps = scribe.clock.steps_per_bar
    for section in sections:
        if "percussion" not in section.playing:
            continue
        for bar in range(section.start, section.end, bar_steps):
            for step, key in zip(steps, hands, strict=True):
                if step < bar_steps:
                    scribe.write(bar + step, STROKE_STEPS, key, 0.75 if step % 4 == 0 else 0.5)


def _play_section(
    scribe: Scribe, section: Section, groove: Groove, sticks: _Sticks, *, with_fill: bool
) -> None:
    rng, bar_steps = scribe.rng, scribe.clock.steps_per_bar
    usual = _draw_bar(rng, groove, section.energy)
    for start in range(section.start, section.end, bar_steps):
        bar = usual if rng.random() < 0.75 else _draw_bar(rng, groove, section.energy)
        until = bar_steps
        if with_fill and start + bar_steps >= section.end:
            until = bar_steps - int(rng.choice([4, 4, 8, 8, bar_steps]))
            _play_fill(scribe, start + until, start + bar_steps, sticks)
        _play_bar(scribe, start, until, bar, sticks)


def _draw_bar(rng: np.random.Generator, groove: Groove, energy: float) -> _Bar:
    def draw(line: str, chance: float = 1.0) -> frozenset[int]:
        rolls = rng.random(16) * 9
        return frozenset(i for i in range(16) if rolls[i] < int(line[i]) * chance)

    # A quiet section thins the hats; only the digit 9 stands for a certain stroke.
    cymbal = draw(groove.cymbal)
    if energy < 0.4:
        cymbal = frozenset(step for step in cymbal if step % 4 == 0 or step % 4 == 2)
    return _Bar(
        draw(groove.kick),
        draw(groove.snare),
        cymbal,
        draw(groove.ghost, 1.2 * energy),
        draw(groove.open_hat, 1.4 * energy),
    )


def _play_bar(scribe: Scribe, start: int, until: int, bar: _Bar, sticks: _Sticks) -> None:
    for step in range(until):
        accent = 1.0 if step % 8 == 0 else 0.85 if step % 4 == 0 else 0.7
        if step in bar.kick:
            scribe.write(start + step, STROKE_STEPS, sticks.kick, 0.75 + 0.2 * accent)
        if step in bar.snare:
            scribe.write(start + step, STROKE_STEPS, sticks.snare, 0.9)
        elif step in bar.ghost:
            scribe.write(start + step, STROKE_STEPS, sticks.snare, 0.25)
        _play_cymbal(scribe, start, step, accent, bar, sticks)


def _play_cymbal(
    scribe: Scribe, start: int, step: int, accent: float, bar: _Bar, sticks: _Sticks
) -> None:
    if step in bar.open_hat:
        scribe.write(start + step, 2.0, 46, 0.8)
    elif step in bar.cymbal:
        bell = sticks.ride and step % 8 == 0 and scribe.rng.random() < 0.2
        key = (53 if bell else 51) if sticks.ride else 42
        scribe.write(start + step, 4.0 if sticks.ride else STROKE_STEPS, key, 0.8 * accent)
    elif sticks.ride and step % 8 == 4:
        scribe.write(start + step, STROKE_STEPS, 44, 0.5)


def _play_fill(scribe: Scribe, start: int, end: int, sticks: _Sticks) -> None:
    rng = scribe.rng
    density = float(rng.uniform(0.55, 1.0))
    snare_roll = rng.random() < 0.3
    for step in range(start, end):
        progress = (step - start) / max(end - start, 1)
        if rng.random() > density:
            continue
        tom = TOM_RUN[min(int(progress * len(TOM_RUN)), len(TOM_RUN) - 1)]
        key = sticks.snare if snare_roll or rng.random() < 0.25 else tom
        scribe.write(step, STROKE_STEPS, key, 0.65 + 0.3 * progress)
        if rng.random() < 0.2:
            scribe.write(step, STROKE_STEPS, sticks.kick, 0.8)
