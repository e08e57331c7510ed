"""Writes what belongs to ``other``: chords, arpeggios, pads and guitar riffs.

Rhythms are strings with a letter for every sixteenth: ``x`` strikes, ``-`` holds, ``.`` rests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamsep.synthesis.composing.harmony import nearest_pitch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streamsep.synthesis.composing.form import Section
    from streamsep.synthesis.composing.harmony import Harmony
    from streamsep.synthesis.composing.timing import Scribe

__all__ = ["write_accompaniment"]

COMPING: dict[str, tuple[str, ...]] = {
    "funk": ("..x..x.x..x..xx.", "x..x..x.x...x.x.", ".xx..xx.x..x.xx."),
    "disco": ("..x-..x-..x-..x-", "x.xxx.xxx.xxx.xx"),
    "house": ("x--x--x---x--x--", "..x-..x-..x-..x-"),
    "reggae": ("....x.......x...", "..x...x...x...x.", "....xx......xx.."),
    "latin": ("x-.x-.x-..x-x-..", "x--x--x-x--x--x-", ".xx-.xx-.xx-.xx-"),
    "jazz": ("x--.......x-....", "....x-....x--...", "..x-....x--....."),
    "any": (
        "x---------------", "x-------x-------", "x---x---x---x---", "x-x-x-x-x-x-x-x-",
        "x-----x---x-----", "x---x-xxx-x-x-xx", "x--x--x-x--x--x-", "....x-------x---",
    ),
}  # fmt: skip
RIFF_RHYTHMS = (
    "x-x-x-x-x-x-x-x-", "x---------------", "x-xxx-xxx-xxx-xx", "x--x--x-----x-x-",
    "x-x-..x-x-..x-x-", "xxxxxxxxx-x-x-x-", "x-------x---x-x-", "x-xx.xx.x-xx.x-x",
)  # fmt: skip
ARPEGGIO_RHYTHMS = ("x-x-x-x-x-x-x-x-", "xxxxxxxxxxxxxxxx", "x--x--x-x--x--x-", "x-x-x-.-x-x-x-.-")


def write_accompaniment(
    scribe: Scribe,
    sections: Sequence[Section],
    harmonies: dict[str, Harmony],
    role: str,
    *,
    name: str,
    style: str,
) -> None:
    """Play a role through the sections in which the part called ``name`` plays.

    Args:
        scribe: takes the notes.
        sections: the plan of the song.
        harmonies: chords for every kind of section.
        role: ``chords``, ``arpeggio``, ``pad`` or ``riff``.
        name: the part's name in the sections.
        style: name of the style; it chooses the rhythm of the chords.
    """
    play = _PLAYERS[role]
    low = int(scribe.rng.integers(40, 46) if role == "riff" else scribe.rng.integers(50, 63))
    rhythms = {"riff": RIFF_RHYTHMS, "arpeggio": ARPEGGIO_RHYTHMS}.get(role)
    if rhythms is None:
        rhythms = COMPING.get(style, ()) or COMPING["any"]
        if scribe.rng.random() < 0.3:
            rhythms = COMPING["any"]
    chosen = {
        kind: rhythms[int(scribe.rng.integers(len(rhythms)))]
        for kind in dict.fromkeys(section.kind for section in sections)
    }
    for section in sections:
        if name in section.playing:
            play(scribe, section, harmonies[section.kind], chosen[section.kind], low)


def _strokes(rhythm: str, bar_steps: int) -> list[tuple[int, int]]:
    """Pairs of (step, length) in one bar."""
    cell = rhythm[:bar_steps]
    strokes = []
    for step, letter in enumerate(cell):
        if letter == "x":
            length = 1
            while step + length < bar_steps and cell[step + length] == "-":
                length += 1
            strokes.append((step, length))
    return strokes


def _play_chords(scribe: Scribe, section: Section, harmony: Harmony, rhythm: str, low: int) -> None:
    strum_s = float(scribe.rng.choice([0.0, 0.004, 0.012, 0.02]))
    bar_steps = scribe.clock.steps_per_bar
    for bar in range(section.start, section.end, bar_steps):
        for step, length in _strokes(rhythm, bar_steps):
            chord = harmony.chord_at(bar + step - section.start)
            velocity = 0.8 if step % 4 == 0 else 0.68
            for i, pitch in enumerate(chord.voicing(low)):
                scribe.write(bar + step, length * 0.92, pitch, velocity, delay_s=i * strum_s)


def _play_pad(scribe: Scribe, section: Section, harmony: Harmony, rhythm: str, low: int) -> None:
    for step in range(section.start, section.end, harmony.chord_steps):
        chord = harmony.chord_at(step - section.start)
        length = min(harmony.chord_steps, section.end - step)
        for pitch in chord.voicing(low - 4):
            scribe.write(step, length, pitch, 0.65)


def _play_arpeggio(
    scribe: Scribe, section: Section, harmony: Harmony, rhythm: str, low: int
) -> None:
    rng, bar_steps = scribe.rng, scribe.clock.steps_per_bar
    shape = [int(i) for i in rng.integers(0, 6, size=8)] if rng.random() < 0.4 else None
    count, ringing = 0, float(rng.choice([0.9, 1.0, 2.5]))
    for bar in range(section.start, section.end, bar_steps):
        for step, length in _strokes(rhythm, bar_steps):
            tones = harmony.chord_at(bar + step - section.start).voicing(low)
            ladder = [*tones, *(pitch + 12 for pitch in tones)]
            index = shape[count % 8] if shape else _there_and_back(count, len(ladder))
            scribe.write(bar + step, length * ringing, ladder[index % len(ladder)], 0.7)
            count += 1


def _there_and_back(count: int, size: int) -> int:
    place = count % (2 * size - 2)
    return place if place < size else 2 * size - 2 - place


def _play_riff(scribe: Scribe, section: Section, harmony: Harmony, rhythm: str, low: int) -> None:
    rng, bar_steps = scribe.rng, scribe.clock.steps_per_bar
    strokes = _strokes(rhythm, bar_steps)
    # A riff either stands on the chord or moves within the scale, the same way in every bar.
    moves = [int(rng.choice([0, 0, 0, 3, 5, -2, 7])) for _ in strokes]
    moving, power = rng.random() < 0.45, rng.random() < 0.75
    for bar in range(section.start, section.end, bar_steps):
        for (step, length), move in zip(strokes, moves, strict=True):
            chord = harmony.chord_at(bar + step - section.start)
            root = nearest_pitch(chord.root, low + 3, low - 5, low + 10)
            root = max(root + move, 38) if moving else root
            shape = (0, 7, 12) if power else (0,)
            for interval in shape:
                scribe.write(bar + step, length * 0.95, root + interval, 0.85)


_PLAYERS: dict[str, Callable[[Scribe, Section, Harmony, str, int], None]] = {
    "chords": _play_chords,
    "pad": _play_pad,
    "arpeggio": _play_arpeggio,
    "riff": _play_riff,
}
