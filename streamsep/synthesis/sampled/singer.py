"""Singing a melody with spoken syllables.

Every note takes the next syllable. Its consonants keep their natural speed and its vowel is held
for the rest of the note, by a map from the time of the song to the time of the speech:

    speech frame                        ┌──── coda
       stop ┤                         ╱
    nucleus ┤        ______________ ╱        (held: wanders a little around the vowel)
      start ┤_____ ╱
            └─────┴────────────────┴──────►  time of the song
                  note's onset      its end

The pitch is the melody's, with what makes it a voice: a scoop into the note, a glide from the one
before, a slow drift, and a vibrato that sets in late.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import signal

from streamsep.synthesis.sampled.speech import FRAME_S, Speech, SpeechSynthesiser, Syllable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from streamsep.synthesis.score import Note

__all__ = ["Style", "draw_style", "sing"]

_A4_HZ = 440.0


@dataclass(frozen=True, slots=True)
class Style:
    """How a singer sings.

    Attributes:
        spoken: keep the pitch of the speech (rap) instead of the melody's.
        vibrato_hz: rate of the vibrato.
        vibrato_cents: its depth.
        glide_s: time constant of the way from note to note.
        scoop_cents: how far below its pitch a note may begin.
        formants: factor on every resonance; a small head has a large one.
        breath: 0 (as spoken) .. 1 (whispered).
    """

    spoken: bool
    vibrato_hz: float
    vibrato_cents: float
    glide_s: float
    scoop_cents: float
    formants: float
    breath: float


def draw_style(rng: np.random.Generator, *, rap: float) -> Style:
    """A way of singing; `rap` is the probability of speaking in rhythm instead."""
    return Style(
        spoken=bool(rng.random() < rap),
        vibrato_hz=float(rng.uniform(4.5, 6.5)),
        vibrato_cents=float(rng.uniform(20.0, 80.0)),
        glide_s=float(rng.uniform(0.012, 0.05)),
        scoop_cents=float(rng.uniform(0.0, 180.0)),
        formants=float(rng.uniform(0.85, 1.2)),
        breath=float(max(0.0, rng.normal(0.1, 0.2))),
    )


def sing(
    synthesiser: SpeechSynthesiser,
    speech: Speech,
    notes: Sequence[Note],
    style: Style,
    duration_s: float,
    sample_rate: int,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Sing one melodic line.

    Args:
        synthesiser: holds the vocoder.
        speech: the words; they begin again when they run out.
        notes: in order of onset; a note ends where the next one begins.
        style: how to sing.
        duration_s: length of the audio, seconds.
        sample_rate: 44100; the speech's envelope spans half of it.
        rng: draws the small errors of this take.

    Returns:
        float32 [T], T = round(duration_s × sample_rate).
    """
    frames = int(duration_s / FRAME_S) + 1
    position, loudness, semitones = _lay_out(speech, notes, frames, rng)
    spoken = np.clip(position.astype(int), 0, len(speech.pitch_hz) - 2)
    if style.spoken:
        pitch = _speaking_pitch(speech, spoken, float(np.median(semitones)))
    else:
        pitch = _melody(semitones, loudness, style, rng)
    pitch[(loudness == 0.0) | (speech.pitch_hz[spoken] == 0.0)] = 0.0
    audio = np.zeros(round(duration_s * sample_rate), dtype=np.float32)
    for phrase in _phrases(loudness > 0.0):
        timbre = _timbre(speech, spoken[phrase], loudness[phrase], style)
        sung = synthesiser.world.synthesize(pitch[phrase], *timbre, sample_rate, 1000.0 * FRAME_S)
        begin = round(phrase.start * FRAME_S * sample_rate)
        room = audio[begin : begin + len(sung)]
        room += sung[: len(room)].astype(np.float32)
    return audio


def _phrases(sounding: NDArray[np.bool_]) -> list[slice]:
    """Stretches of frames with singing and a little rest around it.

    The vocoder is slow, and as slow in a rest as in a note.
    """
    near = np.convolve(sounding, np.ones(21), mode="same") > 0.5
    edges = np.flatnonzero(np.diff(near.astype(int), prepend=0, append=0))
    return [slice(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def _timbre(
    speech: Speech, spoken: NDArray[np.intp], loudness: NDArray[np.float64], style: Style
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Power spectrum and aperiodicity [N, F] of frames of song."""
    envelope = _warp(speech.log_envelope[spoken], style.formants)
    envelope += 2.0 * np.log(loudness + 1e-5)[:, None]
    breath = speech.aperiodicity[spoken].astype(np.float64) ** (1.0 / (1.0 + 3.0 * style.breath))
    return (
        np.ascontiguousarray(np.exp(envelope)),
        np.ascontiguousarray(np.clip(breath, 1e-3, 1.0 - 1e-6)),
    )


def _lay_out(
    speech: Speech, notes: Sequence[Note], frames: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Speech position, loudness and pitch (MIDI) of every frame of the song."""
    position, loudness, semitones = np.zeros((3, frames))
    first = int(rng.integers(len(speech.syllables)))
    ends_s = [note.start_s for note in notes[1:]] + [np.inf]
    for count, (note, next_s) in enumerate(zip(notes, ends_s, strict=True)):
        syllable = speech.syllables[(first + count) % len(speech.syllables)]
        start = round((note.start_s + rng.normal(0.0, 0.008)) / FRAME_S)
        stop = round(min(note.start_s + note.duration_s, next_s) / FRAME_S)
        start, stop = max(start, 0), min(max(stop, start + 6), frames)
        length = stop - start
        if length < 2:
            continue
        position[start:stop] = _stretch(syllable, length, rng)
        edge = max(1, min(length // 3, 8))
        fade = np.minimum(np.arange(length, 0, -1) / edge, 1.0)
        attack = np.minimum(np.arange(1, length + 1) / min(edge, 3), 1.0)
        loudness[start:stop] = note.velocity**0.7 * fade * attack
        semitones[start:] = note.pitch
    semitones[semitones == 0.0] = notes[0].pitch
    return position, loudness, semitones


def _stretch(syllable: Syllable, length: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """The speech frame for each of `length` frames of a note."""
    onset = min(syllable.nucleus - syllable.start, max(1, length // 3))
    coda = min(syllable.stop - syllable.nucleus, max(1, length // 3))
    held = max(length - onset - coda, 0)
    wander = np.cumsum(rng.normal(0.0, 0.35, size=held))
    wander = np.clip(wander - np.linspace(0.0, wander[-1] if held else 0.0, held), -4.0, 4.0)
    path = np.concatenate(
        [
            np.linspace(syllable.start, syllable.nucleus, onset, endpoint=False),
            syllable.nucleus + wander,
            np.linspace(syllable.nucleus, syllable.stop - 1, coda),
        ]
    )
    frames: NDArray[np.float64] = np.maximum(path[:length], 0.0)
    return frames


def _melody(
    semitones: NDArray[np.float64],
    loudness: NDArray[np.float64],
    style: Style,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """The sung pitch of every frame, Hz."""
    frames = len(semitones)
    sounding = loudness > 0.0
    starts = (np.diff(semitones, prepend=0.0) != 0.0) | (
        np.diff(sounding.astype(int), prepend=0) > 0
    )
    begins = np.flatnonzero(starts & sounding)
    since = _time_since(begins, frames)
    scoops = rng.uniform(0.0, style.scoop_cents, size=len(begins)) * (rng.random(len(begins)) < 0.4)
    scoop = _held(begins, scoops, frames) * np.exp(-since / 0.05)
    keep = np.exp(-FRAME_S / style.glide_s)
    target = signal.lfilter([1.0 - keep], [1.0, -keep], semitones - semitones[0]) + semitones[0]
    rate = style.vibrato_hz * (1.0 + 0.05 * rng.standard_normal())
    onset_s = rng.uniform(0.15, 0.45)
    swell = np.clip((since - onset_s) / 0.25, 0.0, 1.0)
    vibrato = style.vibrato_cents * swell * np.sin(2.0 * np.pi * rate * np.arange(frames) * FRAME_S)
    drift = 12.0 * signal.lfilter([0.2], [1.0, -0.98], rng.standard_normal(frames))
    cents = vibrato + drift - scoop + rng.normal(0.0, 5.0)
    pitch: NDArray[np.float64] = _A4_HZ * 2.0 ** ((target - 69.0 + cents / 100.0) / 12.0)
    return pitch


def _time_since(begins: NDArray[np.intp], frames: int) -> NDArray[np.float64]:
    """Seconds since the last of `begins`, for every frame."""
    now = np.arange(frames, dtype=np.float64)
    return FRAME_S * (now - _held(begins, begins.astype(np.float64), frames))


def _held(
    begins: NDArray[np.intp], values: NDArray[np.float64], frames: int
) -> NDArray[np.float64]:
    """Each value from its beginning until the next one's; 0 before the first."""
    which = np.searchsorted(begins, np.arange(frames), side="right")
    padded: NDArray[np.float64] = np.concatenate([[0.0], values])
    return padded[which]


def _speaking_pitch(speech: Speech, at: NDArray[np.intp], near: float) -> NDArray[np.float64]:
    """The speech's own intonation, moved by octaves' fractions towards the melody's register."""
    voiced = speech.pitch_hz[speech.pitch_hz > 0.0]
    centre = float(np.median(voiced)) if voiced.size else 150.0
    wanted = _A4_HZ * 2.0 ** ((near - 5.0 - 69.0) / 12.0)
    factor = np.clip(wanted / centre, 0.7, 1.5)
    smooth = np.convolve(speech.pitch_hz, np.ones(5) / 5, mode="same")
    pitch: NDArray[np.float64] = factor * np.maximum(smooth[at], 60.0)
    return pitch


def _warp(log_envelope: NDArray[np.float32], formants: float) -> NDArray[np.float64]:
    """Move every resonance of the envelope [N, F] up by a factor."""
    bins = log_envelope.shape[1]
    source = np.minimum(np.arange(bins) / formants, bins - 1.001)
    below = source.astype(int)
    weight = (source - below).astype(np.float32)
    left, right = log_envelope[:, below], log_envelope[:, below + 1]
    warped: NDArray[np.float64] = (left + weight * (right - left)).astype(np.float64)
    return warped
