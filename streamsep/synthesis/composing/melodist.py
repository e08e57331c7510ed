"""Writes melodies: for the singer, the backing singers and the lead instrument.

A melody is phrases with breath between them. Each phrase takes a rhythm drawn once per song (so
that phrases answer one another), walks the scale in small steps, and leans on chord tones where
the beat is strong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamsep.synthesis.composing.harmony import nearest_pitch

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from streamsep.synthesis.composing.form import Section
    from streamsep.synthesis.composing.harmony import Harmony
    from streamsep.synthesis.composing.timing import Scribe
    from streamsep.synthesis.score import Note

__all__ = ["VOICE_HIGH", "VOICE_LOW", "Melodist", "write_backing"]

VOICE_LOW, VOICE_HIGH = 45, 79
LONGEST_SUNG_S = 2.0
SHORTEST_SUNG_S = 0.15


@dataclass(frozen=True, slots=True)
class Melodist:
    """A melody instrument.

    Attributes:
        low: lowest pitch.
        high: highest pitch, at least an octave above.
        density: share of the bar's steps on which a note begins, about 0.1..0.4.
        rest_share: share of every phrase that is breath.
    """

    low: int
    high: int
    density: float
    rest_share: float

    def write(
        self,
        scribe: Scribe,
        sections: Sequence[Section],
        harmonies: dict[str, Harmony],
        name: str,
    ) -> None:
        """Play through the sections in which the part called ``name`` plays."""
        bar_steps = scribe.clock.steps_per_bar
        motifs = [self._draw_motif(scribe, 2 * bar_steps) for _ in range(3)]
        pitch = int(scribe.rng.integers(self.low + 4, self.high - 4))
        for section in sections:
            if name not in section.playing:
                continue
            for i, start in enumerate(range(section.start, section.end, 2 * bar_steps)):
                motif = motifs[2 if i % 4 == 3 else 0 if section.kind == "verse" else 1]
                span = (start, min(start + 2 * bar_steps, section.end))
                harmony = harmonies[section.kind]
                pitch = self._sing_phrase(scribe, harmony, section.start, span, motif, pitch)

    def _draw_motif(self, scribe: Scribe, steps: int) -> list[tuple[int, int]]:
        rng, step_s = scribe.rng, scribe.clock.step_s
        shortest = max(1, round(SHORTEST_SUNG_S / step_s))
        breath_at = int(steps * (1 - self.rest_share))
        step = int(rng.choice([0, 0, 2, 4]))
        motif = []
        while step < breath_at:
            mean = 1 / self.density
            length = max(shortest, int(rng.choice([0.5, 0.5, 1, 1, 1.5, 2.5]) * mean + 0.5))
            if step % 2 == 1 and length % 2 == 0:
                length += 1
            motif.append((step, min(length, steps - step)))
            step += length
        return motif or [(0, steps // 2)]

    def _sing_phrase(
        self,
        scribe: Scribe,
        harmony: Harmony,
        section_start: int,
        span: tuple[int, int],
        motif: list[tuple[int, int]],
        pitch: int,
    ) -> int:
        ladder = harmony.scale_pitches(self.low, self.high)
        longest = LONGEST_SUNG_S / scribe.clock.step_s
        for offset, length in motif:
            step = span[0] + offset
            if step >= span[1]:
                break
            chord = harmony.chord_at(step - section_start)
            pitch = self._next_pitch(scribe.rng, ladder, pitch)
            if offset % 8 == 0 or length >= 6:
                tones = chord.pitch_classes
                tone = min(tones, key=lambda pc: min((pitch - pc) % 12, (pc - pitch) % 12))
                pitch = nearest_pitch(tone, pitch, self.low, self.high)
            sounding = min(length, span[1] - step, longest) * float(scribe.rng.uniform(0.8, 1.0))
            scribe.write(step, sounding, pitch, 0.85 if offset % 4 == 0 else 0.72)
        return pitch

    def _next_pitch(self, rng: np.random.Generator, ladder: list[int], pitch: int) -> int:
        nearest = min(range(len(ladder)), key=lambda i: abs(ladder[i] - pitch))
        move = int(rng.choice([-4, -3, -2, -1, -1, -1, 0, 0, 1, 1, 1, 2, 3, 4]))
        # Melodies fall back towards the middle of their range.
        middle = (len(ladder) - 1) / 2
        if rng.random() < abs(nearest - middle) / max(middle, 1.0) * 0.8:
            move = -abs(move) if nearest > middle else abs(move)
        return ladder[min(max(nearest + move, 0), len(ladder) - 1)]


def write_backing(
    scribe: Scribe,
    melody: Sequence[Note],
    sections: Sequence[Section],
    harmonies: dict[str, Harmony],
) -> None:
    """Double the voice a third above or below, or hold chord tones, where ``backing`` plays."""
    rng = scribe.rng
    shift = int(rng.choice([-5, -2, 2, 4]))
    for section in sections:
        if "backing" not in section.playing:
            continue
        ladder = harmonies[section.kind].scale_pitches(VOICE_LOW, VOICE_HIGH)
        start_s = scribe.clock.at(section.start)
        end_s = scribe.clock.at(section.end)
        inside = [note for note in melody if start_s <= note.start_s < end_s]
        for note in inside:
            place = min(range(len(ladder)), key=lambda i: abs(ladder[i] - note.pitch))
            pitch = ladder[min(max(place + shift, 0), len(ladder) - 1)]
            step = (note.start_s + scribe.clock.lead_in_s) / scribe.clock.step_s
            _write_straight(scribe, step, note, pitch)
        if not inside:
            _hold_chord_tones(scribe, section, harmonies[section.kind])


def _write_straight(scribe: Scribe, step: float, note: Note, pitch: int) -> None:
    """Write beside a note that already lies in seconds, without swinging it again."""
    delay_s = note.start_s - scribe.clock.at(step)
    steps = note.duration_s / scribe.clock.step_s
    scribe.write(step, steps, pitch, 0.7 * note.velocity, delay_s=delay_s)


def _hold_chord_tones(scribe: Scribe, section: Section, harmony: Harmony) -> None:
    longest = LONGEST_SUNG_S / scribe.clock.step_s
    pitch = 62
    for step in range(section.start, section.end, harmony.chord_steps):
        chord = harmony.chord_at(step - section.start)
        pitch = nearest_pitch(chord.pitch_classes[1], pitch, 52, 76)
        scribe.write(step, min(harmony.chord_steps * 0.9, longest), pitch, 0.55)
