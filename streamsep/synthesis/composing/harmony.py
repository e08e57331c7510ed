"""Keys, chords and the progressions that sections are built on.

A progression is a row of scale degrees, one for every chord; a chord stacks thirds on its degree
within the scale, so that the mode alone decides which chords are major or minor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

__all__ = ["SCALES", "Chord", "Harmony", "draw_harmony", "nearest_pitch"]

SCALES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "harmonic_minor": (0, 2, 3, 5, 7, 8, 11),
}

BRIGHT = ("major", "mixolydian")

BRIGHT_PROGRESSIONS = (
    (0, 4, 5, 3), (0, 5, 3, 4), (0, 3, 4, 3), (5, 3, 0, 4), (1, 4, 0, 0), (0, 3, 0, 4),
    (0, 2, 3, 4), (3, 4, 2, 5), (0, 0, 3, 4), (0, 6, 3, 0), (0, 4), (0, 3), (0, 5, 1, 4),
    (0, 0, 0, 0, 3, 3, 0, 0, 4, 3, 0, 4),
)  # fmt: skip

DARK_PROGRESSIONS = (
    (0, 5, 2, 6), (0, 6, 5, 6), (0, 3, 0, 4), (0, 5, 3, 4), (0, 0, 5, 6), (0, 2, 6, 3),
    (0, 6, 5, 4), (0, 3, 6, 2), (5, 6, 0, 0), (0, 1), (0, 3), (0,), (0, 0, 1, 0),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Chord:
    """A chord.

    Attributes:
        root: pitch class 0..11.
        intervals: semitones above the root, rising from 0.
    """

    root: int
    intervals: tuple[int, ...]

    @property
    def pitch_classes(self) -> tuple[int, ...]:
        """Pitch classes 0..11, root first."""
        return tuple((self.root + interval) % 12 for interval in self.intervals)

    def voicing(self, low: int) -> tuple[int, ...]:
        """Close position: every pitch class once, within the octave above ``low``, rising."""
        return tuple(sorted(low + (pc - low) % 12 for pc in self.pitch_classes))


@dataclass(frozen=True, slots=True)
class Harmony:
    """The chords of one kind of section.

    Attributes:
        key: pitch class of the tonic.
        scale: semitones of the mode's seven degrees.
        chords: one after the other, then from the first again.
        chord_steps: how long each lasts, in steps.
    """

    key: int
    scale: tuple[int, ...]
    chords: tuple[Chord, ...]
    chord_steps: int

    def chord_at(self, step: int) -> Chord:
        """The chord that sounds ``step`` steps into the section."""
        return self.chords[step // self.chord_steps % len(self.chords)]

    def scale_pitches(self, low: int, high: int) -> list[int]:
        """The scale's MIDI pitches from ``low`` to ``high``, both included."""
        members = {(self.key + semitones) % 12 for semitones in self.scale}
        return [pitch for pitch in range(low, high + 1) if pitch % 12 in members]


def draw_harmony(
    rng: np.random.Generator, key: int, mode: str, steps_per_bar: int, sevenths: float
) -> Harmony:
    """Draw a progression for a section.

    Args:
        rng: where the choices come from.
        key: pitch class of the tonic.
        mode: a name in `SCALES`.
        steps_per_bar: length of a bar.
        sevenths: chance that the chords have a seventh (and sometimes a ninth).
    """
    scale = SCALES[mode]
    rows = BRIGHT_PROGRESSIONS if mode in BRIGHT else DARK_PROGRESSIONS
    row = rows[int(rng.integers(len(rows)))]
    size = 3
    if rng.random() < sevenths:
        size = 5 if rng.random() < 0.25 else 4
    chords = tuple(_stack_thirds(key, scale, degree, size) for degree in row)
    halves = len(row) == 4 and rng.random() < 0.15
    return Harmony(key, scale, chords, steps_per_bar // 2 if halves else steps_per_bar)


def nearest_pitch(pitch_class: int, to: int, low: int, high: int) -> int:
    """The MIDI pitch of a pitch class that is closest to ``to`` within ``low``..``high``.

    The range must span an octave, so that the pitch class occurs in it.
    """
    candidates = [pitch for pitch in range(low, high + 1) if pitch % 12 == pitch_class % 12]
    return min(candidates, key=lambda pitch: abs(pitch - to))


def _stack_thirds(key: int, scale: tuple[int, ...], degree: int, size: int) -> Chord:
    tones = [
        scale[(degree + 2 * i) % 7] + 12 * ((degree + 2 * i) // 7) - scale[degree]
        for i in range(size)
    ]
    return Chord((key + scale[degree]) % 12, tuple(tones))
