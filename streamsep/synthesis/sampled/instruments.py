"""The players of drums, bass and everything else: patches, performance and rig of each part."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from streamsep.synthesis import desk
from streamsep.synthesis.sampled import casting, effects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from streamsep.synthesis.sampled.sampler import Sampler
    from streamsep.synthesis.score import Note, Part, Score

__all__ = ["play_bass", "play_drums", "play_other"]

_PIECES: dict[str, frozenset[int]] = {
    "kick": frozenset({35, 36}),
    "snare": frozenset({37, 38, 39, 40}),
    "cymbals": frozenset({42, 44, 46, 49, 51, 52, 53, 55, 57, 59}),
}
"""General MIDI keys; toms and percussion are what remains."""

_LOUD_STYLES = frozenset({"rock", "metal", "punk", "blues"})


def play_drums(
    part: Part, score: Score, sampler: Sampler, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Play a drum part, often with kick, snare, cymbals and the rest from different kits.

    Records do the same: samples replace or reinforce drums one by one.

    Returns:
        float32 [C=2, T].
    """
    programs = casting.kit_programs(score.style, rng)
    house_kit = sampler.draw_kit(programs, rng)
    house_tuning = rng.uniform(0.88, 1.14)
    mixed_kit = rng.random() < 0.55
    total: NDArray[np.float32] = np.zeros(
        (2, round(score.duration_s * sampler.sample_rate)), dtype=np.float32
    )
    for piece, notes in _by_piece(_perform(part.notes, rng)).items():
        kit = sampler.draw_kit(programs, rng) if mixed_kit else house_kit
        tuning = rng.uniform(0.85, 1.18) if mixed_kit else house_tuning
        audio = sampler.play(kit, notes, score.duration_s, tuning)
        level = 10.0 ** (rng.normal(-4.0 if piece == "cymbals" else 0.0, 2.5) / 20.0)
        total += np.float32(level) * _mike(audio, piece, sampler.sample_rate, rng)
    return _drum_bus(total, sampler.sample_rate, rng)


def _by_piece(notes: Sequence[Note]) -> dict[str, list[Note]]:
    pieces: dict[str, list[Note]] = {}
    for note in notes:
        name = next((name for name, keys in _PIECES.items() if note.pitch in keys), "rest")
        pieces.setdefault(name, []).append(note)
    return pieces


def _mike(
    audio: NDArray[np.float32], piece: str, sample_rate: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Tone and character of one drum's own microphone."""
    audio = desk.equalise(audio, sample_rate, rng.normal(0.0, 3.0), rng.normal(0.0, 3.0))
    if piece != "cymbals" and rng.random() < 0.3:
        audio = desk.drive(audio, rng.uniform(0.3, 3.0))
    if piece != "cymbals" and rng.random() < 0.4:
        audio = effects.peak(audio, sample_rate, rng.uniform(90, 400), rng.normal(0.0, 4.0))
    if piece == "snare" and rng.random() < 0.25:
        audio = desk.reverb(audio, rng, rng.uniform(0.3, 1.8), rng.uniform(0.1, 0.5), sample_rate)
    return audio


def _drum_bus(
    audio: NDArray[np.float32], sample_rate: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    if rng.random() < 0.6:
        audio = desk.compress(audio, sample_rate, rng.uniform(-6.0, 3.0), rng.uniform(1.5, 8.0))
    if rng.random() < 0.25:
        audio = desk.drive(audio, rng.uniform(0.2, 1.5))
    if rng.random() < 0.15:
        audio = np.repeat(audio.mean(axis=0, keepdims=True), 2, axis=0)
    if rng.random() < 0.6:
        audio = desk.reverb(audio, rng, rng.uniform(0.2, 1.4), rng.uniform(0.03, 0.35), sample_rate)
    return desk.equalise(audio, sample_rate, rng.normal(0.0, 2.0), rng.normal(0.0, 2.0))


def play_bass(
    part: Part, score: Score, sampler: Sampler, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Play a bass part on one patch, clean, amplified or fuzzy.

    Returns:
        float32 [C=2, T].
    """
    rate = sampler.sample_rate
    patch = sampler.draw_patch(casting.draw_bass(score.style, rng), rng)
    audio = sampler.play(patch, _perform(part.notes, rng), score.duration_s, _detune(rng))
    audio = np.repeat(audio.mean(axis=0, keepdims=True), 2, axis=0)
    if rng.random() < 0.75:
        audio = desk.compress(audio, rate, rng.uniform(-8.0, 0.0), rng.uniform(2.0, 8.0))
    fuzzy = rng.random() < (0.5 if score.style in _LOUD_STYLES else 0.25)
    if fuzzy:
        grit = effects.amplify(audio, rng, 10.0 ** rng.uniform(0.3, 1.5), rate)
        blend = np.float32(rng.uniform(0.2, 1.0))
        audio = audio + blend * desk.active_rms(audio) / (desk.active_rms(grit) + 1e-9) * grit
    elif rng.random() < 0.5:
        audio = desk.drive(audio, rng.uniform(0.2, 2.0))
    audio = desk.equalise(audio, rate, rng.normal(0.0, 3.0), rng.normal(-2.0, 5.0))
    audio = effects.peak(audio, rate, rng.uniform(400, 1500), rng.normal(0.0, 4.0), 0.8)
    if rng.random() < 0.15:
        audio = effects.chorus(audio, rng, rate)
    if rng.random() < 0.2:
        audio = desk.reverb(audio, rng, rng.uniform(0.2, 0.8), rng.uniform(0.02, 0.12), rate)
    return audio.astype(np.float32)


def play_other(
    part: Part, score: Score, sampler: Sampler, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Play one of the parts that are neither drums, bass nor voice.

    Returns:
        float32 [C=2, T], at a level drawn around a common one.
    """
    program = casting.draw_instrument(part.role, score.style, rng)
    if program in casting.GUITARS:
        audio = _guitars(part, score, sampler, program, rng)
    else:
        audio = _take(part, score, sampler, program, rng)
        if rng.random() < 0.12:
            audio = effects.amplify(audio, rng, 10.0 ** rng.uniform(0.0, 1.2), sampler.sample_rate)
    audio = _other_strip(audio, score, sampler.sample_rate, rng)
    level = desk.active_rms(audio)
    wanted = 10.0 ** (rng.normal(-3.0 if part.role == "pad" else 0.0, 3.0) / 20.0)
    return audio * np.float32(wanted / level if level else 0.0)


def _take(
    part: Part, score: Score, sampler: Sampler, program: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    patch = sampler.draw_patch(program, rng)
    return sampler.play(patch, _perform(part.notes, rng), score.duration_s, _detune(rng))


def _guitars(
    part: Part, score: Score, sampler: Sampler, program: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """One guitar, or two takes of it on both sides, through amplifiers or not."""
    loud = program in casting.DISTORTED
    if loud and rng.random() < 0.6:
        program = int(rng.choice([25, 26, 27, 27, 28]))  # our own rig, from clean strings
    own_rig = (loud and program not in casting.DISTORTED) or rng.random() < 0.3
    gain = 10.0 ** (rng.uniform(0.7, 2.0) if loud else rng.uniform(-0.3, 0.6))
    takes = 2 if part.role in {"riff", "chords"} and rng.random() < 0.5 else 1
    width = rng.uniform(0.6, 1.0) if takes == 2 else 0.0
    total: NDArray[np.float32] = np.zeros(
        (2, round(score.duration_s * sampler.sample_rate)), dtype=np.float32
    )
    for position in (-width, width)[:takes]:
        mono = _take(part, score, sampler, program, rng).mean(axis=0)
        if own_rig:
            mono = effects.amplify(mono, rng, gain, sampler.sample_rate)
        late = round(rng.uniform(0.0, 0.02) * sampler.sample_rate)
        total += desk.pan(effects.shift(mono, late), position)
    return total


def _other_strip(
    audio: NDArray[np.float32], score: Score, rate: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Pedals, place and room of one part."""
    beat_s = 60.0 / score.tempo_bpm
    if rng.random() < 0.15:
        audio = effects.chorus(audio, rng, rate)
    if rng.random() < 0.07:
        audio = effects.tremolo(audio, rng, rate, rng.choice([1.0, 2.0, 3.0]) * 2.0 / beat_s)
    audio = desk.equalise(audio, rate, rng.normal(-1.5, 3.0), rng.normal(0.0, 3.0))
    if rng.random() < 0.35:
        audio = desk.compress(audio, rate, rng.uniform(-6.0, 0.0), rng.uniform(1.5, 5.0))
    if rng.random() < 0.5:
        side = rng.uniform(-0.8, 0.8)
        audio = audio * np.sqrt(np.array([[1.0 - side], [1.0 + side]], dtype=np.float32))
    if rng.random() < 0.25:
        audio = desk.widen(audio, rate, rng.uniform(0.2, 0.7))
    if rng.random() < 0.2:
        delay_s = beat_s * float(rng.choice([0.5, 0.75, 1.0]))
        audio = effects.echo(audio, rate, delay_s, rng.uniform(0.2, 0.55), rng.uniform(0.1, 0.4))
    if rng.random() < 0.65:
        audio = desk.reverb(audio, rng, rng.uniform(0.3, 2.8), rng.uniform(0.05, 0.45), rate)
    return audio.astype(np.float32)


def _detune(rng: np.random.Generator) -> float:
    """A tuning factor within 15 cents."""
    return float(2.0 ** (rng.uniform(-15.0, 15.0) / 1200.0))


def _perform(notes: Sequence[Note], rng: np.random.Generator) -> list[Note]:
    """One take: the touch of this player and the small errors of this take."""
    touch = rng.uniform(0.6, 1.6)
    return [
        replace(
            note,
            start_s=max(0.0, note.start_s + rng.normal(0.0, 0.003)),
            velocity=float(np.clip(note.velocity**touch + rng.normal(0.0, 0.04), 0.02, 1.0)),
        )
        for note in notes
    ]
