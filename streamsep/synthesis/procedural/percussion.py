"""Hand percussion: shakers, tambourine, cowbell and congas.

Every builder takes the generator of the piece's character, the one of this take's noise, the
General MIDI key and the sample rate, and returns one stroke at any level.
"""

from __future__ import annotations

import numpy as np

from streamsep.synthesis.procedural.waves import Mono, band_noise

__all__ = ["build_conga", "build_cowbell", "build_shaker", "build_tambourine"]

CONGA_HZ = {62: 330.0, 63: 280.0, 64: 200.0}


def build_shaker(
    rng: np.random.Generator, noise: np.random.Generator, key: int, rate: int, *, electronic: bool
) -> Mono:
    """Grains that swell and stop."""
    length = int(rng.uniform(0.06, 0.14) * rate)
    swell = np.sin(np.pi * np.linspace(0, 1, length, dtype=np.float32) ** 0.6) ** 2
    low_hz = float(rng.uniform(3500, 6500))
    return band_noise(noise, length, low_hz, 15000.0, rate) * swell.astype(np.float32)


def build_tambourine(
    rng: np.random.Generator, noise: np.random.Generator, key: int, rate: int, *, electronic: bool
) -> Mono:
    """Jingles: a few close modes and bright noise."""
    length = int(0.35 * rate)
    time_s = np.arange(length, dtype=np.float32) / np.float32(rate)
    fall = np.exp(-time_s / np.float32(rng.uniform(0.04, 0.1)))
    sound = band_noise(noise, length, 5000.0, 16000.0, rate)
    for hz in rng.uniform(5000, 12000, size=6):
        sound += np.float32(0.5) * np.sin(np.float32(2 * np.pi * hz) * time_s)
    ready: Mono = sound * fall
    return ready


def build_cowbell(
    rng: np.random.Generator, noise: np.random.Generator, key: int, rate: int, *, electronic: bool
) -> Mono:
    """Two square-like tones that do not agree."""
    length = int(0.35 * rate)
    time_s = np.arange(length, dtype=np.float32) / np.float32(rate)
    low_hz = float(rng.uniform(500, 620))
    sound = np.zeros(length, dtype=np.float32)
    for hz in (low_hz, 1.48 * low_hz):
        for number in (1, 3, 5, 7):
            sound += np.sin(np.float32(2 * np.pi * hz * number) * time_s) / np.float32(number)
    fast, slow = np.exp(-time_s / np.float32(0.012)), np.exp(-time_s / np.float32(0.09))
    ready: Mono = sound * (0.6 * fast + 0.4 * slow).astype(np.float32)
    return ready


def build_conga(
    rng: np.random.Generator, noise: np.random.Generator, key: int, rate: int, *, electronic: bool
) -> Mono:
    """A small skin; key 62 is damped by the hand."""
    length = int(0.4 * rate)
    time_s = np.arange(length, dtype=np.float32) / np.float32(rate)
    hz = CONGA_HZ[key] * float(rng.uniform(0.9, 1.1))
    decay_s = float(rng.uniform(0.07, 0.16)) * (0.35 if key == 62 else 1.0)
    angle = 2 * np.pi * hz * (time_s + 0.006 * (1 - np.exp(-time_s / 0.02)))
    body = (np.sin(angle) + 0.4 * np.sin(1.9 * angle)) * np.exp(-time_s / decay_s)
    slap = band_noise(noise, length, 800.0, 6000.0, rate) * np.exp(-time_s / np.float32(0.006))
    ready: Mono = (body + rng.uniform(0.1, 0.5) * slap).astype(np.float32)
    return ready
