"""Writes the bass: patterns over the root of each chord, or a walking line.

A pattern has a letter for every sixteenth: ``r`` root, ``5`` fifth, ``o`` octave, ``t`` third,
``s`` seventh or sixth, ``g`` a dead (short, quiet) note, ``-`` holds the note, ``.`` rests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamsep.synthesis.composing.harmony import nearest_pitch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamsep.synthesis.composing.form import Section
    from streamsep.synthesis.composing.harmony import Chord, Harmony
    from streamsep.synthesis.composing.timing import Scribe

__all__ = ["BASS_HIGH", "BASS_LOW", "write_bass"]

BASS_LOW, BASS_HIGH = 28, 55

PATTERNS: dict[str, tuple[str, ...]] = {
    "eighths": ("r-r-r-r-r-r-r-r-", "r-r-r-r-r-r-r-5-", "r-.-r-r-r-.-r-r-"),
    "root_fifth": ("r-------5-------", "r-----r-5-------", "r---..r-5---..5-"),
    "syncopated": ("r--r--r-----r-5-", "r-----r---r-o---", "r--r----..r-r-5-", "r-....r-r-..5-t-"),
    "sustained": ("r---------------", "r-----------..r-", "r-------r-------"),
    "octaves": ("r-o-r-o-r-o-r-o-", "r.o.r.o.r.o.r.oo", "r-oor-oor-oor-oo"),
    "gallop": ("r-rrr-rrr-rrr-rr", "r-rrr-rrr-rrt-5-"),
    "sixteenths": ("rrrrrrrrrrrrrrrr", "rrrrrrrrooootttt"),
    "funk": ("r.r..g.r..o.gr.s", "r..rg.o...r.g.5s", "r-..g.rr..o-.s5-", "rg.r.go..gr.s.5."),
    "slap": ("r..or.g.r..os.o.", "r.o.g.rr.o.gr.s.", "rr.o..r.g.o.r.so"),
    "offbeat": ("..r-..r-..r-..r-", "..r-..r-..r-..o-", ".rr-.rr-.rr-.rr-"),
    "sub": ("r-------..r---..", "r-----r-........", "r---......r-----"),
    "reggae": ("r--.r-.-5--.t-..", "....r-r-..5-r-..", "r-r-..t-5-..o-.."),
    "tumbao": ("......5-....r---", "r-----5-....r---", "r--5----o--5----"),
}
DEGREES = {"r": 0, "g": 0, "o": 12, "5": 7}


def write_bass(
    scribe: Scribe, sections: Sequence[Section], harmonies: dict[str, Harmony], line: str
) -> None:
    """Play a bass line through the sections in which ``bass`` plays.

    Args:
        scribe: takes the notes, all within 28..55.
        sections: the plan of the song.
        harmonies: chords for every kind of section.
        line: ``walking`` or a key of `PATTERNS`.
    """
    rng = scribe.rng
    floor = int(rng.integers(BASS_LOW, 34))
    tightness = float(rng.uniform(0.6, 1.0))
    for section in sections:
        if "bass" not in section.playing:
            continue
        if line == "walking":
            _walk(scribe, section, harmonies[section.kind], floor)
        else:
            patterns = PATTERNS[line]
            pattern = patterns[int(rng.integers(len(patterns)))]
            if section.energy < 0.35:
                pattern = PATTERNS["sustained"][int(rng.integers(3))]
            _repeat(scribe, section, harmonies[section.kind], pattern, floor, tightness)


def _repeat(
    scribe: Scribe, section: Section, harmony: Harmony, pattern: str, floor: int, tightness: float
) -> None:
    bar_steps = scribe.clock.steps_per_bar
    for bar in range(section.start, section.end, bar_steps):
        cell = pattern[:bar_steps]
        for step, letter in enumerate(cell):
            if letter in "-.":
                continue
            length = 1
            while step + length < bar_steps and cell[step + length] == "-":
                length += 1
            chord = harmony.chord_at(bar + step - section.start)
            pitch = _pitch(chord, letter, floor)
            velocity = 0.4 if letter == "g" else 0.9 if step % 4 == 0 else 0.78
            scribe.write(bar + step, 0.5 if letter == "g" else length * tightness, pitch, velocity)


def _pitch(chord: Chord, letter: str, floor: int) -> int:
    root = floor + (chord.root - floor) % 12
    if letter == "t":
        above = chord.intervals[1]
    elif letter == "s":
        above = chord.intervals[3] if len(chord.intervals) > 3 else 9
    elif letter == "5":
        above = chord.intervals[2]
    else:
        above = DEGREES[letter]
    pitch = root + above
    return pitch if pitch <= BASS_HIGH else pitch - 12


def _walk(scribe: Scribe, section: Section, harmony: Harmony, floor: int) -> None:
    rng = scribe.rng
    pitch = nearest_pitch(harmony.chord_at(0).root, floor + 7, BASS_LOW, BASS_HIGH - 5)
    for step in range(section.start, section.end, 4):
        here = step - section.start
        chord, coming = harmony.chord_at(here), harmony.chord_at(here + 4)
        if here % harmony.chord_steps == 0:
            pitch = nearest_pitch(chord.root, pitch, BASS_LOW, BASS_HIGH - 3)
        elif coming != chord:
            # The last beat leads by a semitone into the next root.
            target = nearest_pitch(coming.root, pitch, BASS_LOW + 1, BASS_HIGH - 3)
            pitch = target + (1 if pitch > target else -1)
        else:
            tones = chord.pitch_classes
            tone = tones[int(rng.integers(len(tones)))]
            pitch = nearest_pitch(tone, pitch + int(rng.integers(-4, 5)), BASS_LOW, BASS_HIGH)
        scribe.write(step, 3.7, pitch, 0.8)
        if rng.random() < 0.12:
            scribe.write(step + 2, 1.5, pitch, 0.5)
