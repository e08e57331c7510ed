"""Synthesisers and electric keys: filtered oscillators, frequency modulation, drawbars.

The subtractive voice is the analogue synthesiser: a rich wave through a resonant low-pass whose
corner moves. Here the filter is applied to the harmonics before the table is made, once for each
of several corners; the filter's envelope then travels along the row of tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streamsep.synthesis.procedural.waves import (
    Mono,
    envelope,
    frequency_of,
    harmonics_of,
    low_pass,
    read_tables,
    steady_cycles,
    tables_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FrequencyModulation", "Organ", "Subtractive"]

CORNERS = 7


@dataclass(frozen=True, slots=True)
class Subtractive:
    """A filtered oscillator: basses, pads, brass, strings, leads.

    Attributes:
        sample_rate: samples per second.
        wave: ``saw``, ``square``, ``pulse`` or ``triangle``.
        corner_hz: low-pass corner at rest.
        sweep_octaves: how far the envelope opens the filter.
        sweep_s: time constant with which it closes again, seconds.
        resonance: quality of the filter.
        attack_s: rise of the loudness (and, if slow, of the filter), seconds.
        decay_s: time constant of the fall to ``sustain``, seconds.
        sustain: held level, 0..1.
        release_s: fade once the key is up, seconds.
        unison: oscillators in parallel.
        detune_cents: spread of their pitches.
        vibrato_cents: depth of a vibrato that sets in after a moment.
    """

    sample_rate: int
    wave: str
    corner_hz: float
    sweep_octaves: float
    sweep_s: float
    resonance: float
    attack_s: float
    decay_s: float
    sustain: float
    release_s: float
    unison: int = 1
    detune_cents: float = 0.0
    vibrato_cents: float = 0.0

    def sound(self, pitch: float, held: int, velocity: float) -> Mono:
        """Play one note; see `streamsep.synthesis.procedural.waves.Instrument`."""
        rate, frequency = self.sample_rate, frequency_of(pitch)
        loudness = envelope(held, rate, self.attack_s, self.decay_s, self.sustain, self.release_s)
        time_s = np.arange(len(loudness), dtype=np.float32) / np.float32(rate)
        opening = np.exp(-np.maximum(time_s - self.attack_s, 0.0) / self.sweep_s)
        opening *= np.minimum(time_s / max(self.attack_s, 1e-3), 1.0) * (0.6 + 0.4 * velocity)
        place = (opening * (CORNERS - 1)).astype(np.float32)
        tables = self._tables(frequency)
        tone = np.zeros(len(loudness), dtype=np.float32)
        for i in range(self.unison):
            spread = (i - (self.unison - 1) / 2) / max(self.unison - 1, 1)
            bent = frequency * 2.0 ** (spread * self.detune_cents / 1200)
            cycles = steady_cycles(bent, len(tone), rate) + 0.37 * i * i
            tone += read_tables(tables, cycles + self._vibrato(time_s, bent), place)
        return tone * loudness * np.float32(velocity / np.sqrt(self.unison))

    def _tables(self, frequency: float) -> NDArray[np.float32]:
        number = harmonics_of(frequency, self.sample_rate)
        source = _source(self.wave, number)
        steps = np.linspace(0.0, self.sweep_octaves, CORNERS)
        # The corner follows the keyboard by a third, so that high notes are not swallowed.
        resting = self.corner_hz * (frequency / 220.0) ** 0.33
        rows = [source * low_pass(number * frequency, resting * 2.0**s, self.resonance)
                for s in steps]  # fmt: skip
        spectra = -1j * np.stack(rows)
        return tables_of(spectra / (np.linalg.norm(spectra, axis=-1).max() + 1e-9))

    def _vibrato(self, time_s: Mono, frequency: float) -> NDArray[np.float64] | float:
        if self.vibrato_cents <= 0:
            return 0.0
        rate_hz = 5.4
        depth = frequency * np.log(2.0) * self.vibrato_cents / 1200 / (2 * np.pi * rate_hz)
        return np.asarray(
            depth * np.minimum(time_s / 0.4, 1.0) * np.sin(2 * np.pi * rate_hz * time_s),
            dtype=np.float64,
        )


def _source(wave: str, number: NDArray[np.float64]) -> NDArray[np.float64]:
    odd = number % 2 == 1
    if wave == "square":
        return np.where(odd, 1.0 / number, 0.0)
    if wave == "triangle":
        return np.where(odd, 1.0 / number**2, 0.0)
    if wave == "pulse":
        return np.sin(np.pi * number * 0.22) / number
    return 1.0 / number


@dataclass(frozen=True, slots=True)
class FrequencyModulation:
    """Two pairs of operators: electric pianos, bells, hard basses.

    Attributes:
        sample_rate: samples per second.
        ratio: modulator over carrier frequency.
        index: depth of modulation at full velocity, radians.
        index_s: time constant with which the depth falls, seconds.
        tine: loudness of a second, high pair, relative to the first.
        decay_s: time constant of the loudness, seconds.
        release_s: fade once the key is up, seconds.
    """

    sample_rate: int
    ratio: float
    index: float
    index_s: float
    tine: float
    decay_s: float
    release_s: float

    def sound(self, pitch: float, held: int, velocity: float) -> Mono:
        """Play one note; see `streamsep.synthesis.procedural.waves.Instrument`."""
        rate, frequency = self.sample_rate, frequency_of(pitch)
        loudness = envelope(held, rate, 0.002, self.decay_s, 0.05, self.release_s)
        time_s = np.arange(len(loudness)) / rate
        angle = 2 * np.pi * frequency * time_s
        # Carson's rule keeps the highest sideband below half the sample rate.
        room = max((0.45 * rate / frequency - 1) / self.ratio - 1, 0.0)
        depth = min(self.index * velocity, room) * (0.15 + 0.85 * np.exp(-time_s / self.index_s))
        tone = np.sin(angle + depth * np.sin(self.ratio * angle)).astype(np.float32)
        if self.tine > 0 and 15 * frequency < 0.45 * rate:
            strike = self.tine * velocity * np.exp(-time_s / 0.12)
            tone += (strike * np.sin(14.0 * angle)).astype(np.float32)
        return tone * loudness * np.float32(velocity)


@dataclass(frozen=True, slots=True)
class Organ:
    """A drawbar organ with a slow tremolo, or a reed organ if the bars are many.

    Attributes:
        sample_rate: samples per second.
        drawbars: amplitude of harmonics 1, 2, 3, ... counted from an octave below the note.
        wobble_hz: rate of the rotating loudspeaker.
        wobble: depth of it, 0..0.5.
        click: loudness of the key click.
    """

    sample_rate: int
    drawbars: tuple[float, ...]
    wobble_hz: float
    wobble: float
    click: float

    def sound(self, pitch: float, held: int, velocity: float) -> Mono:
        """Play one note; see `streamsep.synthesis.procedural.waves.Instrument`."""
        rate, frequency = self.sample_rate, frequency_of(pitch - 12)
        fitting = len(harmonics_of(frequency, rate))
        bars = np.array(self.drawbars[:fitting])
        tables = tables_of((-1j * bars / (np.linalg.norm(bars) + 1e-9))[None, :])
        loudness = envelope(held, rate, 0.006, 1.0, 1.0, 0.03)
        turning = 2 * np.pi * self.wobble_hz * np.arange(len(loudness)) / rate
        bend = 0.002 * self.wobble * frequency / max(self.wobble_hz, 0.1) * np.sin(turning)
        tone = read_tables(tables, steady_cycles(frequency, len(loudness), rate) + bend)
        tone *= (1.0 - self.wobble * 0.5 * (1 + np.cos(turning))).astype(np.float32)
        contact = min(len(tone), int(0.004 * rate))
        tone[:contact] *= np.float32(1.0 + 4.0 * self.click)
        return tone * loudness * np.float32(0.5 + 0.5 * velocity)
