"""Musical time: steps, swing, and the hand that is never quite on the beat.

All players count in *steps*, sixteenth notes from the first bar line. A `Clock` turns steps into
seconds, with swing: in a swung pair the first half is longer than the second. A `Scribe` writes
notes down with the scatter of a human hand and cuts them at the edges of the song.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamsep.synthesis.score import Note, Part, Stem

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Clock", "Scribe"]

SHORTEST_NOTE_S = 0.03


@dataclass(frozen=True, slots=True)
class Clock:
    """Where each step falls in seconds.

    Attributes:
        tempo_bpm: quarter notes per minute.
        steps_per_bar: sixteenths in a bar, 16 for 4/4 and 12 for 3/4.
        swing: share of a pair that its first half takes; 0.5 is straight, 2/3 a triplet shuffle.
        swing_steps: half of a swung pair, in steps: 1 swings sixteenths, 2 swings eighths.
        lead_in_s: how far before the song's first sample the first bar line lies.
    """

    tempo_bpm: float
    steps_per_bar: int = 16
    swing: float = 0.5
    swing_steps: int = 2
    lead_in_s: float = 0.0

    @property
    def step_s(self) -> float:
        """Length of an even step, seconds."""
        return 15.0 / self.tempo_bpm

    def at(self, step: float) -> float:
        """The time of a step, seconds from the start of the song; negative in the lead-in."""
        pair = 2 * self.swing_steps
        whole, within = divmod(step, pair)
        phase = within / pair
        if phase < 0.5:
            warped = phase * 2 * self.swing
        else:
            warped = self.swing + (phase - 0.5) * 2 * (1 - self.swing)
        return (whole + warped) * pair * self.step_s - self.lead_in_s

    def bars_in(self, duration_s: float) -> int:
        """How many bars, the last perhaps cut short, cover the song."""
        bar_s = self.steps_per_bar * self.step_s
        return max(1, int(-(-(duration_s + self.lead_in_s) // bar_s)))


class Scribe:
    """Writes the notes of one part.

    Args:
        rng: source of the scatter.
        clock: turns steps into seconds.
        duration_s: length of the song; notes are cut there.
        looseness_s: standard deviation of the onsets, seconds.
        feel_s: constant lateness of this player (laid back above 0, pushing below), seconds.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        clock: Clock,
        duration_s: float,
        looseness_s: float = 0.0,
        feel_s: float = 0.0,
    ) -> None:
        self.rng = rng
        self.clock = clock
        self._duration_s = duration_s
        self._looseness_s = looseness_s
        self._feel_s = feel_s
        self._notes: list[Note] = []

    def write(
        self, step: float, steps: float, pitch: int, velocity: float, delay_s: float = 0.0
    ) -> None:
        """Write one note, ``steps`` long; what falls outside the song is left out."""
        scatter_s = self._feel_s + self._looseness_s * float(self.rng.standard_normal())
        start_s = self.clock.at(step) + delay_s + scatter_s
        end_s = min(self.clock.at(step + steps) + delay_s, self._duration_s)
        start_s = max(start_s, 0.0)
        if end_s - start_s < SHORTEST_NOTE_S:
            return
        loudness = velocity * (1 + 0.08 * float(self.rng.standard_normal()))
        self._notes.append(Note(start_s, end_s - start_s, pitch, min(max(loudness, 0.05), 1.0)))

    def part(self, stem: Stem, role: str) -> Part:
        """Everything written so far, in order of onset."""
        return Part(stem, role, tuple(sorted(self._notes, key=lambda note: note.start_s)))

    def solo_part(self, stem: Stem, role: str) -> Part:
        """Like `part`, for an instrument that sounds one note at a time: overlaps are cut."""
        ordered = sorted(self._notes, key=lambda note: note.start_s)
        kept: list[Note] = []
        for i, note in enumerate(ordered):
            room_s = ordered[i + 1].start_s - note.start_s if i + 1 < len(ordered) else 1e9
            length_s = min(note.duration_s, room_s)
            if length_s >= SHORTEST_NOTE_S:
                kept.append(Note(note.start_s, length_s, note.pitch, note.velocity))
        return Part(stem, role, tuple(kept))
