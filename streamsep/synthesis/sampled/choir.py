"""Everyone who sings in a song: the lead, its doubles, and the harmonies behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamsep.synthesis import desk
from streamsep.synthesis.sampled import effects
from streamsep.synthesis.sampled.singer import draw_style, sing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from streamsep.synthesis.sampled.speech import SpeechSynthesiser
    from streamsep.synthesis.score import Note, Part, Score

__all__ = ["sing_part"]

_MOST_LINES = 3
_RAP = {"hiphop": 0.45, "trap": 0.45}
_HIGH_VOICE = 59.0  # median MIDI pitch from which women's voices are likelier
_S_PER_WORD = 0.8  # enough syllables not to repeat at once, few enough to analyse quickly


def sing_part(
    part: Part,
    score: Score,
    synthesiser: SpeechSynthesiser,
    sample_rate: int,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Sing a lead or backing part.

    Returns:
        float32 [C=2, T].
    """
    backing = part.role == "backing"
    lines = _lines(part.notes)
    sung_s = sum(note.duration_s for note in lines[0])
    high = float(np.median([note.pitch for note in part.notes])) > _HIGH_VOICE
    words = int(np.clip(sung_s / _S_PER_WORD, 4, 16))
    speech = synthesiser.speak(rng, words, high=high)
    style = draw_style(rng, rap=0.0 if backing else _RAP.get(score.style, 0.06))
    doubled = rng.random() < (0.6 if backing else 0.2)
    audio: NDArray[np.float32] = np.zeros(
        (2, round(score.duration_s * sample_rate)), dtype=np.float32
    )
    for line in lines:
        spread = rng.uniform(0.3, 0.9) if backing or doubled else 0.0
        for side in (-1.0, 1.0) if doubled else (float(rng.choice([-0.6, 0.0, 0.6])),):
            take = sing(synthesiser, speech, line, style, score.duration_s, sample_rate, rng)
            audio += desk.pan(take, spread * side)
    return _strip(audio, score, sample_rate, rng)


def _lines(notes: Sequence[Note]) -> list[list[Note]]:
    """Deal chords out to singers, so that no line overlaps itself."""
    lines: list[list[Note]] = []
    for note in sorted(notes, key=lambda note: (note.start_s, -note.pitch)):
        free = next((line for line in lines if line[-1].start_s < note.start_s - 0.05), None)
        if free is not None:
            free.append(note)
        elif len(lines) < _MOST_LINES:
            lines.append([note])
    return lines


def _strip(
    audio: NDArray[np.float32], score: Score, rate: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Tone, dynamics and room of a voice."""
    audio = desk.equalise(audio, rate, rng.normal(-4.0, 2.5), rng.normal(2.0, 3.0))
    audio = effects.peak(audio, rate, rng.uniform(2000, 4000), rng.normal(2.0, 3.0))
    audio = desk.compress(audio, rate, rng.uniform(-10.0, -2.0), rng.uniform(2.0, 6.0))
    if rng.random() < 0.25:
        audio = desk.drive(audio, rng.uniform(0.3, 3.0))
    if rng.random() < 0.15:
        audio = desk.widen(audio, rate, rng.uniform(0.2, 0.5))
    if rng.random() < 0.3:
        delay_s = 60.0 / score.tempo_bpm * float(rng.choice([0.5, 0.75, 1.0]))
        audio = effects.echo(audio, rate, delay_s, rng.uniform(0.2, 0.5), rng.uniform(0.08, 0.3))
    if rng.random() < 0.8:
        audio = desk.reverb(audio, rng, rng.uniform(0.4, 3.0), rng.uniform(0.05, 0.35), rate)
    return audio
