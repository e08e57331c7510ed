"""Wavetables, envelopes and noise: what every procedural instrument is made of.

A periodic sound is a sum of harmonics; one inverse FFT turns their spectrum into a table that
holds one cycle. Reading the table at a rising phase plays it at any pitch for the price of a look
up, where a sum of sines would cost one sine for each harmonic and sample. To let the spectrum
move, the instrument lays out several spectra in a row, and reads between two of them.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import signal

__all__ = [
    "Instrument",
    "Mono",
    "add_at",
    "band_noise",
    "envelope",
    "frequency_of",
    "harmonics_of",
    "low_pass",
    "read_tables",
    "steady_cycles",
    "tables_of",
]

Mono = NDArray[np.float32]
"""One channel of sound, float32 [T]."""

TABLE = 2048
HIGHEST_OF_NYQUIST = 0.9


class Instrument(Protocol):
    """Anything that can play a note."""

    def sound(self, pitch: float, held: int, velocity: float) -> Mono:
        """Play one note.

        Args:
            pitch: MIDI note number, fractions allowed.
            held: how long the key is down, samples.
            velocity: loudness, above 0 and up to 1.

        Returns:
            float32 [T] with T at least ``held``; what follows is the release.
        """
        ...


def frequency_of(pitch: float) -> float:
    """Frequency of a MIDI note number, Hz."""
    return float(440.0 * 2.0 ** ((pitch - 69.0) / 12.0))


def harmonics_of(frequency: float, sample_rate: int) -> NDArray[np.float64]:
    """Numbers 1, 2, 3... of the harmonics that fit below half the sample rate."""
    fitting = int(HIGHEST_OF_NYQUIST * sample_rate / 2 / frequency)
    return np.arange(1.0, min(max(fitting, 1), TABLE // 2 - 1) + 1)


def tables_of(spectra: NDArray[np.complex128]) -> NDArray[np.float32]:
    """Turn rows of harmonics into rows of one cycle.

    Args:
        spectra: complex [K, H], amplitude and phase of harmonics 1..H.

    Returns:
        float32 [K, TABLE + 1]; the last sample repeats the first, for interpolation.
    """
    full = np.zeros((spectra.shape[0], TABLE // 2 + 1), dtype=np.complex128)
    full[:, 1 : spectra.shape[1] + 1] = spectra * (TABLE / 2)
    cycles = np.fft.irfft(full, n=TABLE, axis=-1)
    return np.concatenate([cycles, cycles[:, :1]], axis=-1).astype(np.float32)


def steady_cycles(frequency: float, length: int, sample_rate: int) -> NDArray[np.float64]:
    """The phase of a steady tone, cycles, float64 [length]."""
    return np.arange(length, dtype=np.float64) * (frequency / sample_rate)


def read_tables(
    tables: NDArray[np.float32],
    cycles: NDArray[np.float64],
    place: NDArray[np.float32] | None = None,
) -> Mono:
    """Play a row of tables.

    Args:
        tables: float32 [K, TABLE + 1].
        cycles: phase, in cycles, [T].
        place: where in the row, 0..K−1, [T]; without it the first table is read.

    Returns:
        float32 [T], linearly interpolated within and between tables.
    """
    at = (cycles - np.floor(cycles)).astype(np.float32) * np.float32(TABLE)
    index = np.minimum(at.astype(np.int32), TABLE - 1)
    fraction = at - index.astype(np.float32)
    flat = tables.ravel()
    if place is None or tables.shape[0] == 1:
        return _between(flat, index, fraction)
    row = np.minimum(place.astype(np.int32), tables.shape[0] - 2)
    index += row * (TABLE + 1)
    first = _between(flat, index, fraction)
    second = _between(flat, index + (TABLE + 1), fraction)
    return first + (place - row.astype(np.float32)) * (second - first)


def _between(flat: NDArray[np.float32], index: NDArray[np.int32], fraction: Mono) -> Mono:
    left = flat.take(index)
    sound: Mono = left + fraction * (flat.take(index + 1) - left)
    return sound


def low_pass(
    frequencies: NDArray[np.float64], cutoff: float, resonance: float
) -> NDArray[np.complex128]:
    """Response of a four-pole low-pass at some frequencies, complex, same shape.

    Args:
        frequencies: Hz.
        cutoff: Hz.
        resonance: quality of the resonant pair; 0.7 is flat, 4 whistles.
    """
    ratio = frequencies / cutoff
    resonant = 1.0 / (1.0 - ratio**2 + 1j * ratio / resonance)
    return np.asarray(resonant / (1.0 - ratio**2 + 1.4j * ratio), dtype=np.complex128)


def envelope(
    held: int, sample_rate: int, attack_s: float, decay_s: float, sustain: float, release_s: float
) -> Mono:
    """An attack, decay, sustain and release curve.

    Args:
        held: how long the key is down, samples.
        sample_rate: samples per second.
        attack_s: linear rise to 1, seconds.
        decay_s: time constant of the fall to ``sustain``, seconds.
        sustain: level that the fall approaches, 0..1.
        release_s: length of the fall to 0 once the key is up, seconds.

    Returns:
        float32 [held + release].
    """
    time_s = np.arange(held, dtype=np.float32) / np.float32(sample_rate)
    curve = sustain + (1 - sustain) * np.exp(-np.maximum(time_s - attack_s, 0.0) / decay_s)
    curve *= np.minimum(time_s / max(attack_s, 1e-4), 1.0)
    release = max(int(release_s * sample_rate), 16)
    fall = np.linspace(1.0, 0.0, release, dtype=np.float32) ** 2
    return np.concatenate([curve, (curve[-1] if held else 0.0) * fall]).astype(np.float32)


def band_noise(
    rng: np.random.Generator, length: int, low_hz: float, high_hz: float, sample_rate: int
) -> Mono:
    """Noise between two frequencies, of RMS 1, float32 [length]."""
    noise = rng.standard_normal(length, dtype=np.float32)
    edges = [low_hz / sample_rate * 2, min(high_hz / sample_rate * 2, 0.98)]
    sections = signal.butter(2, edges, btype="bandpass", output="sos")
    filtered = signal.sosfilt(sections, noise).astype(np.float32)
    level = float(np.sqrt(np.mean(filtered**2))) if length else 0.0
    return filtered / np.float32(level or 1.0)


def add_at(track: NDArray[np.float32], start: int, sound: NDArray[np.float32]) -> None:
    """Add a sound into a track, both float32 [..., T], cutting what lies outside."""
    if start < 0:
        sound, start = sound[..., -start:], 0
    room = min(sound.shape[-1], track.shape[-1] - start)
    if room > 0:
        track[..., start : start + room] += sound[..., :room]
