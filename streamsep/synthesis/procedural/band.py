"""The procedural band: plays a score with instruments drawn from a seed, and mixes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from streamsep.synthesis import desk
from streamsep.synthesis.procedural.dice import Dice
from streamsep.synthesis.procedural.drums import DrumKit
from streamsep.synthesis.procedural.patches import Patch, draw_bass, draw_other
from streamsep.synthesis.procedural.voice import Singer, draw_singer
from streamsep.synthesis.procedural.waves import Mono, add_at
from streamsep.synthesis.score import STEMS, Stem
from streamsep.synthesis.song import Song

if TYPE_CHECKING:
    from streamsep.synthesis.score import Part, Score

__all__ = ["ProceduralBand"]

Stereo = NDArray[np.float32]

TIED_S = 0.06
ACCOMPANIMENT_DB = {"chords": 0.0, "arpeggio": -2.0, "lead": 0.5, "pad": -3.0, "riff": 1.0}


class ProceduralBand:
    """Plays scores without any recorded sound.

    Args:
        sample_rate: samples per second of everything it plays.
    """

    def __init__(self, sample_rate: int = 44100) -> None:
        self._sample_rate = sample_rate

    def play(self, score: Score, seed: int) -> Song:
        """Play a score.

        Args:
            score: what to play.
            seed: any non-negative number; draws the instruments, the rooms and the levels.

        Returns:
            A song of the score's length whose mixture peaks between 0.3 and 0.95; stems that the
            score leaves out are silent. The same score and seed give the same samples.
        """
        length = round(score.duration_s * self._sample_rate)
        stems: dict[Stem, Stereo] = {
            stem: np.zeros((2, length), dtype=np.float32) for stem in STEMS
        }
        tuning = float(np.random.default_rng(seed).normal(0.0, 0.08))
        for i, part in enumerate(score.parts):
            # A generator for each part: a change to one instrument leaves the others as they are.
            rng = np.random.default_rng([seed, 1 + i])
            stems[part.stem] += self._play_part(rng, part, score, tuning, length)
        rng = np.random.default_rng([seed, 0])
        for stem in STEMS:
            stems[stem] = self._record(rng, stem, stems[stem])
        return Song(self._sample_rate, desk.balance(stems, rng))

    def _play_part(
        self, rng: np.random.Generator, part: Part, score: Score, tuning: float, length: int
    ) -> Stereo:
        if part.stem == "drums":
            return self._play_drums(rng, part, length)
        if part.stem == "vocals":
            return self._sing(rng, part, score, tuning, length)
        if part.stem == "bass":
            patch = draw_bass(Dice(rng, self._sample_rate), score.style)
            track = self._play_notes(patch, part, tuning, length)
            return desk.pan(_levelled(track, 0.0), float(rng.uniform(-0.08, 0.08)))
        return self._accompany(rng, part, score, tuning, length)

    def _play_notes(self, patch: Patch, part: Part, tuning: float, length: int) -> Mono:
        track = np.zeros(length, dtype=np.float32)
        for note in part.notes:
            held = int(note.duration_s * self._sample_rate)
            sound = patch.instrument.sound(note.pitch + tuning, held, note.velocity)
            add_at(track, int(note.start_s * self._sample_rate), sound)
        return patch.amplify(track)

    def _accompany(
        self, rng: np.random.Generator, part: Part, score: Score, tuning: float, length: int
    ) -> Stereo:
        patch = draw_other(Dice(rng, self._sample_rate), part.role, score.style)
        track = _levelled(
            self._play_notes(patch, part, tuning, length),
            ACCOMPANIMENT_DB.get(part.role, 0.0) + float(rng.normal(0.0, 2.0)),
        )
        track = self._make_room(rng, track)
        stereo = desk.pan(track, float(rng.uniform(-0.7, 0.7)))
        if rng.random() < 0.5:
            stereo = desk.widen(stereo, self._sample_rate, float(rng.uniform(0.2, 1.0)))
        if part.role in ("lead", "arpeggio") and rng.random() < 0.3:
            stereo = self._echo(rng, stereo, score.tempo_bpm)
        return stereo

    def _make_room(self, rng: np.random.Generator, track: Mono) -> Mono:
        """Cut the lows, which belong to the bass, and lift the presence, as engineers do."""
        cut_hz, presence_hz = float(rng.uniform(50, 180)), float(rng.uniform(700, 2000))
        lift = np.float32(10.0 ** (float(rng.uniform(0, 12)) / 20.0) - 1.0)
        cut = _high_pass(track, cut_hz, self._sample_rate)
        return cut + lift * _high_pass(cut, presence_hz, self._sample_rate)

    def _play_drums(self, rng: np.random.Generator, part: Part, length: int) -> Stereo:
        kit = DrumKit(int(rng.integers(1 << 30)), self._sample_rate)
        track = np.zeros((2, length), dtype=np.float32)
        fade = int(0.03 * self._sample_rate)
        for turn, note in enumerate(part.notes):
            stroke = kit.stroke(note.pitch, turn)
            if note.pitch == 46:
                # The foot closes an open hat at the end of its note.
                kept = min(int(note.duration_s * self._sample_rate) + fade, len(stroke))
                stroke = stroke[:kept].copy()
                stroke[-fade:] *= np.linspace(1.0, 0.0, len(stroke[-fade:]), dtype=np.float32)
            loudness = np.float32(note.velocity**1.5)
            placed = desk.pan(stroke * loudness, kit.position(note.pitch))
            add_at(track, int(note.start_s * self._sample_rate), placed)
        # Percussion decorates the kit, and its noise would otherwise bury it.
        return track * np.float32(0.7 if part.role == "percussion" else 1.0)

    def _sing(
        self, rng: np.random.Generator, part: Part, score: Score, tuning: float, length: int
    ) -> Stereo:
        lowest = min(note.pitch for note in part.notes)
        backing = part.role == "backing"
        takes = int(rng.integers(2, 4)) if backing else 1 + int(rng.random() < 0.15)
        stereo = np.zeros((2, length), dtype=np.float32)
        singer = draw_singer(rng, lowest, self._sample_rate)
        spread = float(rng.uniform(0.3, 0.9)) if backing else 0.25
        for take in range(takes):
            take_rng = np.random.default_rng([int(rng.integers(1 << 30)), take])
            mono = self._sing_take(take_rng, singer, part, tuning, length)
            place = spread * (2 * take / max(takes - 1, 1) - 1) if takes > 1 else 0.0
            stereo += desk.pan(mono, place + float(rng.uniform(-0.08, 0.08)))
        stereo = desk.compress(stereo, self._sample_rate, float(rng.uniform(-6, 2)), 3.0)
        if rng.random() < 0.3:
            stereo = self._echo(rng, stereo, score.tempo_bpm)
        return stereo * np.float32(0.45 if backing else 1.0)

    def _sing_take(
        self, rng: np.random.Generator, singer: Singer, part: Part, tuning: float, length: int
    ) -> Mono:
        track = np.zeros(length, dtype=np.float32)
        previous_end_s, previous_pitch = -1.0, 0.0
        for note in part.notes:
            start = int((note.start_s + 0.006 * float(rng.standard_normal())) * self._sample_rate)
            tied = note.start_s - previous_end_s < TIED_S
            consonant = singer.articulate(rng)
            if consonant is not None:
                add_at(track, start - int(0.8 * len(consonant)), consonant)
            pitch = note.pitch + tuning
            coming_from = previous_pitch if tied and consonant is None else None
            held = int(note.duration_s * self._sample_rate)
            sound = singer.sing(rng, pitch, held, note.velocity, coming_from)
            add_at(track, start, sound)
            previous_end_s, previous_pitch = note.start_s + note.duration_s, pitch
        return track

    def _echo(self, rng: np.random.Generator, stereo: Stereo, tempo_bpm: float) -> Stereo:
        """Repeat a sound in time with the song, from side to side."""
        delay = int(float(rng.choice([0.5, 0.75, 1.0])) * 60.0 / tempo_bpm * self._sample_rate)
        repeats, gain = stereo.copy(), np.float32(rng.uniform(0.15, 0.4))
        for i in range(1, 4):
            add_at(repeats, i * delay, (stereo[::-1] if i % 2 else stereo) * gain**i)
        return repeats

    def _record(self, rng: np.random.Generator, stem: Stem, audio: Stereo) -> Stereo:
        """Send a stem through its channel of the desk."""
        rate = self._sample_rate
        tilt_db = rng.uniform(-4.0, 4.0, size=2)
        squeeze, grit, room = rng.random(3)
        seconds, wet = float(rng.uniform(0.15, 1.0)), float(rng.uniform(0.03, 0.35))
        if not audio.any():
            return audio
        high_db = min(float(tilt_db[1]), 0.0) if stem == "bass" else float(tilt_db[1])
        audio = desk.equalise(audio, rate, float(tilt_db[0]), high_db)
        if squeeze < 0.5:
            audio = desk.compress(audio, rate, float(-6 + 10 * squeeze), 3.0)
        if grit < 0.25:
            audio = desk.drive(audio, 2.0 * grit)
        if stem == "bass":
            wet *= 0.25
        return desk.reverb(audio, rng, seconds, wet if room < 0.8 else 0.0, rate)


def _high_pass(track: Mono, corner_hz: float, sample_rate: int) -> Mono:
    numerator, denominator = signal.butter(1, 2 * corner_hz / sample_rate, btype="highpass")
    passed: Mono = signal.lfilter(numerator, denominator, track).astype(np.float32)
    return passed


def _levelled(track: Mono, level_db: float) -> Mono:
    level = desk.active_rms(track)
    return track * np.float32(10.0 ** (level_db / 20.0) / level if level else 0.0)
