"""The composer: draws a whole song on paper from one number.

A network learns to separate what it has heard mixed, so the composer's task is breadth rather
than beauty: sixteen styles from ballad to metal, tempi from 65 to 180, modes and progressions
with a different harmony for every kind of section, swing and human timing, and arrangements in
which any instrument may be missing, for some bars or for the whole song. What it does respect is
how instruments share music: the bass stands on the roots of the chords, the singer leans on their
tones, kick and bass meet on the beat. Stems that agree in key and rhythm overlap in the spectrum
as real ones do, and that overlap is the difficulty that separation has to learn.

The work is shared out in `streamsep.synthesis.composing`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamsep.synthesis.composing.accompanist import write_accompaniment
from streamsep.synthesis.composing.bassist import write_bass
from streamsep.synthesis.composing.drummer import write_kit, write_percussion
from streamsep.synthesis.composing.form import Section, plan_sections
from streamsep.synthesis.composing.harmony import Harmony, draw_harmony
from streamsep.synthesis.composing.melodist import Melodist, write_backing
from streamsep.synthesis.composing.styles import STYLES, Style
from streamsep.synthesis.composing.timing import Clock, Scribe
from streamsep.synthesis.score import STEMS, Part, Score, Stem

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["compose"]

ABSENCE: dict[Stem, float] = {"drums": 0.05, "bass": 0.06, "other": 0.05, "vocals": 0.12}
FEWEST_STEMS = 2
VOICE_RANGES = ((45, 64), (48, 67), (55, 74), (57, 76), (60, 79))


def compose(seed: int, duration_s: float) -> Score:
    """Write a song.

    Args:
        seed: any non-negative number; the same seed and duration give the same score.
        duration_s: length of the song, seconds, above 0.

    Returns:
        A score in which each stem is played unless it was left out of the whole song; at least
        two are always there. Bass notes lie in 28..55, sung notes in 45..79.
    """
    rng = np.random.default_rng(seed)
    style = STYLES[int(rng.integers(len(STYLES)))]
    clock = _set_clock(rng, style, duration_s)
    present = _draw_present(rng)
    roles = _draw_roles(rng, style) if "other" in present else []
    roster = _draw_roster(rng, present, roles)
    sections = plan_sections(rng, clock.bars_in(duration_s), clock.steps_per_bar, roster)
    harmonies = _draw_harmonies(rng, style, sections, clock.steps_per_bar)
    looseness_s = float(rng.choice([0.0, 0.003, 0.006, 0.01]))

    def new_scribe() -> Scribe:
        feel_s = float(rng.normal(0.0, 0.5)) * looseness_s
        return Scribe(rng, clock, duration_s, looseness_s, feel_s)

    parts = _write_drums(new_scribe, sections, style, roster)
    parts += _write_bass_part(new_scribe, sections, harmonies, style, roster)
    parts += _write_other(new_scribe, sections, harmonies, style, roles)
    parts += _write_vocals(new_scribe, sections, harmonies, roster)
    sounding = tuple(part for part in parts if part.notes)
    return Score(clock.tempo_bpm, duration_s, style.name, sounding)


def _set_clock(rng: np.random.Generator, style: Style, duration_s: float) -> Clock:
    tempo_bpm = float(rng.uniform(*style.tempo_bpm))
    waltz = style.name in {"ballad", "folk", "jazz"} and rng.random() < 0.15
    steps_per_bar = 12 if waltz else 16
    bar_s = steps_per_bar * 15.0 / tempo_bpm
    # Half of the songs begin in the middle of a bar, as an excerpt of a record would.
    lead_in_s = float(rng.uniform(0, min(bar_s, duration_s / 2))) if rng.random() < 0.5 else 0.0
    swing = float(rng.uniform(*style.swing))
    return Clock(tempo_bpm, steps_per_bar, swing, style.swing_steps, lead_in_s)


def _draw_present(rng: np.random.Generator) -> list[Stem]:
    present = [stem for stem in STEMS if rng.random() >= ABSENCE[stem]]
    absent = [stem for stem in STEMS if stem not in present]
    rng.shuffle(absent)
    return present + absent[: max(0, FEWEST_STEMS - len(present))]


def _draw_roles(rng: np.random.Generator, style: Style) -> list[str]:
    """One to four roles; the first ones of a style are the likeliest."""
    count = int(rng.choice([1, 2, 3, 4], p=[0.2, 0.35, 0.3, 0.15]))
    weights = 1.0 / (1.0 + np.arange(len(style.roles)))
    count = min(count, len(style.roles))
    chosen = rng.choice(len(style.roles), size=count, replace=False, p=weights / weights.sum())
    return [style.roles[int(i)] for i in chosen]


def _draw_roster(rng: np.random.Generator, present: list[Stem], roles: list[str]) -> list[str]:
    roster = [f"other {i}" for i in range(len(roles))]
    if "drums" in present:
        roster.append("kit")
        if rng.random() < 0.35:
            roster.append("percussion")
    if "bass" in present:
        roster.append("bass")
    if "vocals" in present:
        roster.append("voice")
        if rng.random() < 0.35:
            roster.append("backing")
    return roster


def _draw_harmonies(
    rng: np.random.Generator, style: Style, sections: tuple[Section, ...], steps_per_bar: int
) -> dict[str, Harmony]:
    key = int(rng.integers(12))
    mode = style.modes[int(rng.integers(len(style.modes)))]
    kinds = sorted({section.kind for section in sections})
    return {kind: draw_harmony(rng, key, mode, steps_per_bar, style.sevenths) for kind in kinds}


def _write_drums(
    new_scribe: Callable[[], Scribe],
    sections: tuple[Section, ...],
    style: Style,
    roster: list[str],
) -> list[Part]:
    parts = []
    if "kit" in roster:
        scribe = new_scribe()
        groove = style.grooves[int(scribe.rng.integers(len(style.grooves)))]
        write_kit(scribe, sections, groove)
        parts.append(scribe.part("drums", "kit"))
    if "percussion" in roster:
        scribe = new_scribe()
        write_percussion(scribe, sections)
        parts.append(scribe.part("drums", "percussion"))
    return parts


def _write_bass_part(
    new_scribe: Callable[[], Scribe],
    sections: tuple[Section, ...],
    harmonies: dict[str, Harmony],
    style: Style,
    roster: list[str],
) -> list[Part]:
    if "bass" not in roster:
        return []
    scribe = new_scribe()
    line = style.bass_lines[int(scribe.rng.integers(len(style.bass_lines)))]
    write_bass(scribe, sections, harmonies, line)
    return [scribe.solo_part("bass", "bass")]


def _write_other(
    new_scribe: Callable[[], Scribe],
    sections: tuple[Section, ...],
    harmonies: dict[str, Harmony],
    style: Style,
    roles: list[str],
) -> list[Part]:
    parts = []
    for i, role in enumerate(roles):
        scribe, name = new_scribe(), f"other {i}"
        if role == "lead":
            low = int(scribe.rng.integers(55, 68))
            density = float(scribe.rng.uniform(0.2, 0.45))
            Melodist(low, low + 20, density, 0.3).write(scribe, sections, harmonies, name)
            parts.append(scribe.solo_part("other", role))
        else:
            write_accompaniment(scribe, sections, harmonies, role, name=name, style=style.name)
            parts.append(scribe.part("other", role))
    return parts


def _write_vocals(
    new_scribe: Callable[[], Scribe],
    sections: tuple[Section, ...],
    harmonies: dict[str, Harmony],
    roster: list[str],
) -> list[Part]:
    if "voice" not in roster:
        return []
    scribe = new_scribe()
    low, high = VOICE_RANGES[int(scribe.rng.integers(len(VOICE_RANGES)))]
    density, rest_share = scribe.rng.uniform(0.18, 0.4), scribe.rng.uniform(0.08, 0.35)
    Melodist(low, high, float(density), float(rest_share)).write(
        scribe, sections, harmonies, "voice"
    )
    voice = scribe.solo_part("vocals", "voice")
    if "backing" not in roster:
        return [voice]
    scribe = new_scribe()
    write_backing(scribe, voice.notes, sections, harmonies)
    return [voice, scribe.solo_part("vocals", "backing")]
