"""What the band is asked to play, before any instrument sounds.

A `Score` is the meeting point of the composer and of the two bands: the procedural band
(`streamsep.synthesis.procedural`, numpy and scipy alone) and the sampled one
(`streamsep.synthesis.sampled`, fluidsynth and a re-pitched synthetic voice). Both play the same
score, so that a network can hear the same music with very different timbres.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["STEMS", "Note", "Part", "Score", "Stem"]

Stem = Literal["drums", "bass", "other", "vocals"]

STEMS: tuple[Stem, ...] = ("drums", "bass", "other", "vocals")
"""The four stems, in the order that every tensor and table of streamsep uses."""


@dataclass(frozen=True, slots=True)
class Note:
    """One note.

    Attributes:
        start_s: onset, seconds from the start of the song.
        duration_s: length, seconds; for drums a nominal length.
        pitch: MIDI note number 0..127; for drums the General MIDI percussion key.
        velocity: loudness, above 0 and up to 1.
    """

    start_s: float
    duration_s: float
    pitch: int
    velocity: float


@dataclass(frozen=True, slots=True)
class Part:
    """The notes of one instrument.

    Attributes:
        stem: the stem that the instrument belongs to.
        role: what the instrument does in the arrangement: ``kit``, ``percussion``, ``bass``,
            ``chords``, ``arpeggio``, ``lead``, ``pad``, ``riff``, ``voice`` or ``backing``.
        notes: in order of onset.
    """

    stem: Stem
    role: str
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class Score:
    """A whole song on paper.

    Attributes:
        tempo_bpm: quarter notes per minute.
        duration_s: length of the song, seconds.
        style: name of the style the composer drew, such as ``rock`` or ``funk``.
        parts: every instrument's notes.
    """

    tempo_bpm: float
    duration_s: float
    style: str
    parts: tuple[Part, ...]
