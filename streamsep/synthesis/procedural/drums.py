"""A drum kit: each piece struck once per song in a few takes, then placed where the score says.

A drum is a skin that sags in pitch as it calms down, plus noise: the beater's click, the snare
wires. A cymbal is metal with so many crowded modes that noise in bands, each dying at its own
rate, with a dozen clear modes on top, comes close. A kit is acoustic (skins, long cymbals) or
electronic (deep sine kick, square-wave hats), and each has tunings of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamsep.synthesis.procedural import percussion
from streamsep.synthesis.procedural.waves import Mono, band_noise

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DrumKit"]

TAKES = 3
TOM_HZ = {41: 80.0, 43: 95.0, 45: 112.0, 47: 135.0, 48: 160.0, 50: 190.0}


class DrumKit:
    """A kit whose pieces are drawn from a seed.

    Args:
        seed: draws the tuning and character of every piece.
        sample_rate: samples per second.
    """

    def __init__(self, seed: int, sample_rate: int) -> None:
        self._seed = seed
        self._sample_rate = sample_rate
        rng = np.random.default_rng(seed)
        self._electronic = bool(rng.random() < 0.4)
        self._takes: dict[int, list[Mono]] = {}
        self._positions: dict[int, float] = {}
        self._width = float(rng.uniform(0.1, 0.9))
        self._mirror = float(rng.choice([-1.0, 1.0]))

    def stroke(self, key: int, turn: int) -> Mono:
        """One stroke on a General MIDI percussion key, float32 [T]; ``turn`` picks the take."""
        if key not in self._takes:
            self._takes[key] = [self._record(key, take) for take in range(TAKES)]
        return self._takes[key][turn % TAKES]

    def position(self, key: int) -> float:
        """Where a piece stands, −1 left .. 1 right."""
        return self._mirror * self._width * _STANDS.get(key, 0.0)

    def _record(self, key: int, take: int) -> Mono:
        # Takes share the piece's character (first generator) and differ in noise (second).
        character = np.random.default_rng([self._seed, key])
        noise = np.random.default_rng([self._seed, key, take])
        build = _PIECES.get(key, percussion.build_shaker)
        electronic = self._electronic
        sound = build(character, noise, key, self._sample_rate, electronic=electronic)
        peak = float(np.abs(sound).max())
        trim = character.uniform(0.8, 1.2) * _LEVELS.get(key, 0.5) * (1 + 0.04 * (take - 1))
        return sound * np.float32(trim / (peak + 1e-9))


def _fall(length: int, rate: int, decay_s: float) -> Mono:
    return np.exp(-np.arange(length, dtype=np.float32) / np.float32(decay_s * rate))


def _sagging_sine(length: int, rate: int, rest_hz: float, struck_hz: float, sag_s: float) -> Mono:
    """A sine that starts at ``struck_hz`` and settles at ``rest_hz``."""
    frequency = rest_hz + (struck_hz - rest_hz) * _fall(length, rate, sag_s)
    cycles = np.cumsum(frequency, dtype=np.float64) / rate
    return np.sin(2 * np.pi * cycles).astype(np.float32)


def _build_kick(
    rng: np.random.Generator, noise: np.random.Generator, key: int, rate: int, *, electronic: bool
) -> Mono:
    decay_s = float(rng.uniform(0.15, 0.55) if electronic else rng.uniform(0.06, 0.2))
    length = int(min(5.0 * decay_s, 1.4) * rate)
    rest_hz, struck_hz = float(rng.uniform(40, 68)), float(rng.uniform(110, 420))
    body = _sagging_sine(length, rate, rest_hz, struck_hz, float(rng.uniform(0.008, 0.045)))
    body *= _fall(length, rate, decay_s)
    body = np.tanh(np.float32(rng.uniform(0.5, 3.0)) * body)
    click_hz = float(rng.uniform(1500, 5000))
    click = band_noise(noise, length, 0.5 * click_hz, 2.0 * click_hz, rate)
    body += np.float32(rng.uniform(0.02, 0.3)) * click * _fall(length, rate, 0.003)
    if not electronic:
        skin = band_noise(noise, length, 60.0, 600.0, rate) * _fall(length, rate, 0.03)
        body += np.float32(rng.uniform(0.05, 0.3)) * skin
    body[-200:] *= np.linspace(1, 0, 200, dtype=np.float32)
    return body


def _build_snare(
    rng: np.random.Generator, noise: np.random.Generator, key: int, rate: int, *, electronic: bool
) -> Mono:
    wires_s = float(rng.uniform(0.05, 0.22))
    length = int(6.0 * wires_s * rate)
    tone_hz = float(rng.uniform(160, 260) * (1.1 if key == 40 else 1.0))
    tone = _sagging_sine(length, rate, tone_hz, 1.4 * tone_hz, 0.012)
    tone += np.float32(0.6) * _sagging_sine(length, rate, 1.68 * tone_hz, 2.0 * tone_hz, 0.01)
    if not electronic:
        for ratio in rng.uniform(2.0, 4.5, size=3):
            tone += np.float32(0.25) * _sagging_sine(length, rate, ratio * tone_hz, 1e3, 0.004)
    tone *= _fall(length, rate, float(rng.uniform(0.03, 0.12)))
    low_hz, high_hz = float(rng.uniform(500, 2200)), float(rng.uniform(6000, 14000))
    wires = band_noise(noise, length, low_hz, high_hz, rate) * _fall(length, rate, wires_s)
    crack = band_noise(noise, length, 1000.0, 9000.0, rate) * _fall(length, rate, 0.006)
    wires_level, crack_level = rng.uniform(0.25, 0.8), rng.uniform(0.1, 0.6)
    return tone + np.float32(wires_level) * wires + np.float32(crack_level) * crack


def _build_rim(
    rng: np.random.Generator, noise: np.random.Generator, key: int, rate: int, *, electronic: bool
) -> Mono:
    length = int(0.12 * rate)
    sound = band_noise(noise, length, 1200.0, 6000.0, rate) * _fall(length, rate, 0.004)
    time_s = np.arange(length, dtype=np.float32) / np.float32(rate)
    for hz in rng.uniform((350, 800, 1500), (600, 1300, 2600)):
        ringing = np.sin(np.float32(2 * np.pi * hz) * time_s)
        sound += ringing * _fall(length, rate, float(rng.uniform(0.008, 0.025)))
    return sound


def _build_clap(
    rng: np.random.Generator, noise: np.random.Generator, key: int, rate: int, *, electronic: bool
) -> Mono:
    tail_s = float(rng.uniform(0.04, 0.15))
    length = int((0.05 + 6 * tail_s) * rate)
    middle_hz = float(rng.uniform(900, 1800))
    sound = band_noise(noise, length, 0.6 * middle_hz, 3.0 * middle_hz, rate)
    loudness = np.zeros(length, dtype=np.float32)
    onsets_s = np.cumsum(rng.uniform(0.006, 0.013, size=3))
    for onset_s in (0.0, *onsets_s):
        start = int(onset_s * rate)
        last = onset_s == onsets_s[-1]
        fall = _fall(length - start, rate, tail_s if last else 0.005)
        loudness[start:] = np.maximum(loudness[start:], fall)
    return sound * loudness


def _build_tom(
    rng: np.random.Generator, noise: np.random.Generator, key: int, rate: int, *, electronic: bool
) -> Mono:
    decay_s = float(rng.uniform(0.12, 0.35))
    length = int(4.5 * decay_s * rate)
    hz = TOM_HZ[key] * float(rng.uniform(0.9, 1.1))
    sag = float(rng.uniform(1.3, 2.2) if electronic else rng.uniform(1.1, 1.5))
    body = _sagging_sine(length, rate, hz, sag * hz, 0.03) * _fall(length, rate, decay_s)
    if not electronic:
        second = _sagging_sine(length, rate, 1.59 * hz, 1.7 * hz, 0.02)
        body += np.float32(0.4) * second * _fall(length, rate, 0.4 * decay_s)
    stick = band_noise(noise, length, 400.0, 4000.0, rate) * _fall(length, rate, 0.008)
    return body + np.float32(rng.uniform(0.05, 0.3)) * stick


def _build_cymbal(
    rng: np.random.Generator, noise: np.random.Generator, key: int, rate: int, *, electronic: bool
) -> Mono:
    decay_s = _CYMBAL_S[key] * float(rng.uniform(0.6, 1.4))
    length = int(min(4.0 * decay_s, 2.5) * rate)
    time_s = np.arange(length, dtype=np.float32) / np.float32(rate)
    hat = key in (42, 44, 46)
    low_hz = float(rng.uniform(4500, 7500) if hat else rng.uniform(1500, 3500))
    sound = band_noise(noise, length, low_hz, 17000.0, rate) * _fall(length, rate, decay_s)
    wash = band_noise(noise, length, 0.6 * low_hz, 2.0 * low_hz, rate)
    sound += np.float32(rng.uniform(0.1, 0.5)) * wash * _fall(length, rate, 0.6 * decay_s)
    # Modes are drawn once per kit: hats closed and open must ring at the same frequencies.
    modes_hz = rng.uniform(low_hz, 13000.0, size=6 if electronic else 10)
    level = np.float32(rng.uniform(0.05, 0.35) * (2.0 if electronic else 1.0))
    for hz in modes_hz:
        sound += level * np.sin(np.float32(2 * np.pi * hz) * time_s) * _fall(length, rate, decay_s)
    if key in (51, 53, 59):
        ping_hz = float(rng.uniform(2500, 5000) if key != 53 else rng.uniform(700, 1400))
        ping = np.sin(np.float32(2 * np.pi * ping_hz) * time_s) * _fall(length, rate, 0.15)
        sound = np.float32(0.5) * sound + np.float32(1.5 if key == 53 else 0.5) * ping
        sound *= 0.35 + 0.65 * _fall(length, rate, 0.03)
    sound[: int(0.0005 * rate)] *= np.linspace(0, 1, int(0.0005 * rate), dtype=np.float32)
    sound[-400:] *= np.linspace(1, 0, 400, dtype=np.float32)
    return sound


_CYMBAL_S = {42: 0.035, 44: 0.03, 46: 0.28, 49: 0.8, 51: 0.5, 52: 0.6, 53: 0.5, 55: 0.25,
             57: 0.9, 59: 0.6}  # fmt: skip

_PIECES: dict[int, Callable[..., Mono]] = {
    35: _build_kick, 36: _build_kick, 37: _build_rim, 38: _build_snare, 39: _build_clap,
    40: _build_snare, **dict.fromkeys(TOM_HZ, _build_tom),
    **dict.fromkeys(_CYMBAL_S, _build_cymbal),
    54: percussion.build_tambourine, 56: percussion.build_cowbell,
    **dict.fromkeys((62, 63, 64), percussion.build_conga),
    70: percussion.build_shaker, 82: percussion.build_shaker,
}  # fmt: skip

_LEVELS = {35: 1.0, 36: 1.0, 37: 0.5, 38: 0.8, 39: 0.6, 40: 0.8, 42: 0.22, 44: 0.18, 46: 0.28,
           49: 0.45, 51: 0.25, 52: 0.45, 53: 0.3, 55: 0.35, 57: 0.45, 59: 0.35, 54: 0.25,
           56: 0.3, 62: 0.4, 63: 0.45, 64: 0.45, 70: 0.2, 82: 0.2,
           **dict.fromkeys(TOM_HZ, 0.75)}  # fmt: skip

_STANDS = {42: 0.6, 44: 0.6, 46: 0.6, 49: 0.5, 57: -0.7, 51: -0.6, 53: -0.6, 59: -0.6, 52: -0.8,
           55: 0.2, 50: 0.4, 48: 0.25, 47: 0.05, 45: -0.2, 43: -0.45, 41: -0.6, 70: -0.8,
           82: 0.8, 54: 0.7, 56: -0.4, 62: 0.5, 63: 0.6, 64: 0.75, 38: 0.08, 40: 0.08}  # fmt: skip
