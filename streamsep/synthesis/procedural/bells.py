"""Struck and blown instruments: pianos, vibraphones, bells, flutes.

A bar or a stiff string rings at partials that are no multiples of one frequency, which is what
makes it sound struck. There are few enough of them to add up as sines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamsep.synthesis.procedural.waves import (
    Mono,
    band_noise,
    envelope,
    frequency_of,
    harmonics_of,
    read_tables,
    steady_cycles,
    tables_of,
)

__all__ = ["Mallet", "Piano", "Pipe"]


@dataclass(frozen=True, slots=True)
class Mallet:
    """A struck bar or bell.

    Attributes:
        sample_rate: samples per second.
        partials: frequencies relative to the note.
        levels: amplitude of each partial.
        decay_s: time constant of the lowest partial at middle C, seconds.
        release_s: fade once the bar is damped, seconds.
    """

    sample_rate: int
    partials: tuple[float, ...]
    levels: tuple[float, ...]
    decay_s: float
    release_s: float

    def sound(self, pitch: float, held: int, velocity: float) -> Mono:
        """Play one note; see `streamsep.synthesis.procedural.waves.Instrument`."""
        rate, frequency = self.sample_rate, frequency_of(pitch)
        loudness = envelope(held, rate, 0.001, 10.0, 1.0, self.release_s)
        time_s = np.arange(len(loudness), dtype=np.float32) / np.float32(rate)
        tone = np.zeros(len(loudness), dtype=np.float32)
        for i, (partial, level) in enumerate(zip(self.partials, self.levels, strict=True)):
            if partial * frequency > 0.45 * rate:
                continue
            life_s = self.decay_s * (262.0 / frequency) ** 0.4 / (1.0 + i)
            bright = level * velocity ** (0.5 * i)
            angle = np.float32(2 * np.pi * partial * frequency) * time_s
            tone += np.float32(bright) * np.exp(-time_s / np.float32(life_s)) * np.sin(angle)
        return tone * loudness * np.float32(velocity / np.linalg.norm(self.levels))


@dataclass(frozen=True, slots=True)
class Piano:
    """A piano: two slightly mistuned strings whose hammer is softer at low velocity.

    Attributes:
        sample_rate: samples per second.
        brightness: tilt of the hammer, 0.5 (felt) .. 1.5 (bright).
        beating_cents: mistuning between the strings.
        seed: draws the phases.
    """

    sample_rate: int
    brightness: float
    beating_cents: float
    seed: int

    def sound(self, pitch: float, held: int, velocity: float) -> Mono:
        """Play one note; see `streamsep.synthesis.procedural.waves.Instrument`."""
        rate, frequency = self.sample_rate, frequency_of(pitch)
        number = harmonics_of(frequency, rate)
        corner = 900.0 * self.brightness * (0.4 + velocity) + 2 * frequency
        start = np.sin(np.pi * number / 8.3) / number / (1 + (number * frequency / corner) ** 2)
        phases = np.random.default_rng(self.seed).uniform(-np.pi, np.pi, len(number))
        moments_s = np.array([0.0, 0.02, 0.06, 0.15, 0.35, 0.8, 1.8, 4.0])
        speed = (frequency / 262.0) ** 0.5 * (0.6 + 0.5 * number * frequency / 1000.0)
        spectra = start * np.exp(1j * phases - moments_s[:, None] * speed[None, :])
        tables = tables_of(spectra / (np.linalg.norm(start) + 1e-9))
        loudness = envelope(held, rate, 0.0015, 10.0, 1.0, 0.12)
        time_s = np.arange(len(loudness)) / rate
        place = np.interp(time_s, moments_s, np.arange(len(moments_s))).astype(np.float32)
        cycles = steady_cycles(frequency, len(loudness), rate)
        tone = read_tables(tables, cycles, place)
        tone += read_tables(tables, cycles * 2.0 ** (self.beating_cents / 1200) + 0.1, place)
        return tone * loudness * np.float32(0.6 * velocity)


@dataclass(frozen=True, slots=True)
class Pipe:
    """A flute, a whistle or a reed: few harmonics, breath, vibrato.

    Attributes:
        sample_rate: samples per second.
        levels: amplitude of harmonics 1, 2, 3, ...
        breath: loudness of the breath relative to the tone.
        vibrato_cents: depth of the vibrato.
        attack_s: rise, seconds.
        seed: draws the breath.
    """

    sample_rate: int
    levels: tuple[float, ...]
    breath: float
    vibrato_cents: float
    attack_s: float
    seed: int

    def sound(self, pitch: float, held: int, velocity: float) -> Mono:
        """Play one note; see `streamsep.synthesis.procedural.waves.Instrument`."""
        rate, frequency = self.sample_rate, frequency_of(pitch)
        fitting = len(harmonics_of(frequency, rate))
        levels = np.array(self.levels[:fitting])
        levels *= velocity ** np.arange(len(levels))
        tables = tables_of((-1j * levels / (np.linalg.norm(levels) + 1e-9))[None, :])
        loudness = envelope(held, rate, self.attack_s, 1.0, 0.85, 0.07)
        time_s = np.arange(len(loudness)) / rate
        depth = frequency * np.log(2.0) * self.vibrato_cents / 1200 / (2 * np.pi * 5.1)
        wobble = depth * np.minimum(time_s / 0.35, 1.0) * np.sin(2 * np.pi * 5.1 * time_s)
        tone = read_tables(tables, steady_cycles(frequency, len(loudness), rate) + wobble)
        rng = np.random.default_rng([self.seed, int(pitch * 100)])
        high_hz = min(4.0 * frequency + 2000.0, 0.45 * rate)
        tone += np.float32(self.breath) * band_noise(rng, len(tone), frequency, high_hz, rate)
        return tone * loudness * np.float32(velocity)
