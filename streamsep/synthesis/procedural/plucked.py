"""Plucked strings: guitars, basses, harps.

Karplus and Strong feed a burst of noise through a delay line whose loop loses a little at every
turn, highs more than lows. Seen from the frequency side, each harmonic starts where the pluck
left it and dies at its own rate. That side is cheaper here: the spectrum at a dozen moments of
the note's life becomes a row of tables, thin early (when the highs vanish) and wide later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streamsep.synthesis.procedural.waves import (
    Mono,
    frequency_of,
    harmonics_of,
    read_tables,
    steady_cycles,
    tables_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PluckedString"]

MOMENTS_S = np.array([0.0, 0.006, 0.015, 0.035, 0.07, 0.13, 0.25, 0.45, 0.8, 1.4, 2.5, 4.5])
SHORT_S = 0.16


@dataclass(frozen=True, slots=True)
class PluckedString:
    """A plucked string.

    Attributes:
        sample_rate: samples per second.
        position: where it is plucked, 0..0.5 of its length; near 0 is nasal.
        pickup: where the pickup listens, 0..0.5 of its length; 0 for none.
        brightness: tilt of the pluck; harmonic h starts at h to the power −1/brightness.
        sustain_s: time constant of the lowest harmonics, seconds.
        damping: how much faster the highs die, per second at 1 kHz.
        noise: loudness of the plectrum or the slap, relative to the string.
        mute_short: extra damping of short notes (palm muting), 1 for none.
        seed: draws the phases and the plectrum.
    """

    sample_rate: int
    position: float
    pickup: float
    brightness: float
    sustain_s: float
    damping: float
    noise: float
    mute_short: float
    seed: int

    def sound(self, pitch: float, held: int, velocity: float) -> Mono:
        """Play one note; see `streamsep.synthesis.procedural.waves.Instrument`."""
        rate = self.sample_rate
        release = int(0.05 * rate)
        length = held + release
        frequency = frequency_of(pitch)
        muting = self.mute_short if held < SHORT_S * rate else 1.0
        tables = self._tables(frequency, velocity, muting)
        time_s = np.arange(length) / rate
        place = np.interp(time_s, MOMENTS_S, np.arange(len(MOMENTS_S))).astype(np.float32)
        # A string is a little sharp while it swings widely.
        sharp = 0.0015 * velocity * np.exp(-time_s / 0.08)
        cycles = steady_cycles(frequency, length, rate) + np.cumsum(sharp) * frequency / rate
        tone = read_tables(tables, cycles, place)
        tone *= np.minimum(time_s * 1500.0, 1.0).astype(np.float32)
        tone[held:] *= np.linspace(1.0, 0.0, release, dtype=np.float32) ** 2
        self._add_plectrum(tone, pitch, velocity)
        return tone * np.float32(velocity)

    def _tables(self, frequency: float, velocity: float, muting: float) -> NDArray[np.float32]:
        number = harmonics_of(frequency, self.sample_rate)
        tilt = number ** (-1.0 / (self.brightness * (0.7 + 0.5 * velocity)))
        start = tilt * np.sin(np.pi * number * self.position)
        if self.pickup > 0:
            start = start * np.sin(np.pi * number * self.pickup)
        phases = np.random.default_rng(self.seed).uniform(-0.6, 0.6, len(number))
        speed = 1.0 / self.sustain_s + self.damping * (number * frequency / 1000.0) ** 1.3
        decay = np.exp(-MOMENTS_S[:, None] * speed[None, :] * muting)
        spectra = start * np.exp(1j * phases) * decay
        return tables_of(spectra / (np.linalg.norm(start) + 1e-9))

    def _add_plectrum(self, tone: Mono, pitch: float, velocity: float) -> None:
        if self.noise <= 0:
            return
        length = min(len(tone), int(0.025 * self.sample_rate))
        rng = np.random.default_rng([self.seed, int(pitch), int(velocity * 1000)])
        burst = rng.standard_normal(length, dtype=np.float32)
        burst *= np.exp(-np.arange(length, dtype=np.float32) / (0.004 * self.sample_rate))
        tone[:length] += np.float32(self.noise * velocity) * burst
