"""Pedals and amplifiers: what stands between an instrument and the mixing desk.

The guitar amplifier matters most. A soundfont's distorted guitar is one recording of one rig; a
clean guitar through our own chain is a new rig every time:

    tighten (high-pass) ─► mid boost ─► tanh ─► tanh ─► cabinet (band-pass, a presence peak)

Distorting after the notes of a chord are summed matters too: the intermodulation between them is
what makes a power chord growl.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import signal

from streamsep.synthesis.desk import drive

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["amplify", "chorus", "echo", "peak", "shift", "tremolo"]


def peak(
    audio: NDArray[np.float32], sample_rate: int, centre_hz: float, gain_db: float, q: float = 1.0
) -> NDArray[np.float32]:
    """Boost or cut a band with one resonant biquad; float32 [..., T] in and out."""
    numerator, denominator = signal.iirpeak(centre_hz, q, fs=sample_rate)
    band = signal.lfilter(numerator, denominator, audio, axis=-1)
    boosted: NDArray[np.float32] = audio + (10.0 ** (gain_db / 20.0) - 1.0) * band
    return boosted.astype(np.float32)


def amplify(
    audio: NDArray[np.float32], rng: np.random.Generator, gain: float, sample_rate: int
) -> NDArray[np.float32]:
    """Play through a guitar amplifier and cabinet drawn at random.

    Args:
        audio: float32 [..., T].
        rng: draws the rig.
        gain: as `streamsep.synthesis.desk.drive` counts it: 2 crunches, 30 saturates.
        sample_rate: samples per second.

    Returns:
        float32 [..., T].
    """
    low = rng.uniform(80.0, 260.0)
    tight = _filter(audio, sample_rate, low, "highpass", 1)
    tight = peak(tight, sample_rate, rng.uniform(600.0, 1200.0), rng.uniform(0.0, 9.0), 0.7)
    saturated = drive(drive(tight, gain**0.5), gain**0.5)
    boxed = _filter(saturated, sample_rate, rng.uniform(60.0, 130.0), "highpass", 2)
    boxed = _filter(boxed, sample_rate, rng.uniform(3800.0, 6500.0), "lowpass", 4)
    boxed = peak(boxed, sample_rate, rng.uniform(1800.0, 3200.0), rng.uniform(0.0, 8.0), 1.2)
    return peak(boxed, sample_rate, rng.uniform(350.0, 700.0), rng.uniform(-7.0, 2.0), 1.0)


def _filter(
    audio: NDArray[np.float32],
    sample_rate: int,
    corner_hz: float,
    kind: Literal["lowpass", "highpass"],
    order: int,
) -> NDArray[np.float32]:
    sections = signal.butter(order, corner_hz, kind, fs=sample_rate, output="sos")
    filtered: NDArray[np.float32] = signal.sosfilt(sections, audio, axis=-1).astype(np.float32)
    return filtered


def chorus(
    stereo: NDArray[np.float32], rng: np.random.Generator, sample_rate: int, depth_s: float = 0.002
) -> NDArray[np.float32]:
    """Thicken with a copy whose delay sways, differently left and right; float32 [C=2, T]."""
    length = stereo.shape[-1]
    at = np.arange(length, dtype=np.float64)
    angle = 2.0 * np.pi * rng.uniform(0.3, 1.2) / sample_rate * at
    phases = rng.uniform(0.0, 2.0 * np.pi, size=2)
    swayed = [
        np.interp(at - sample_rate * depth_s * (3.0 + np.sin(angle + phase)), at, side)
        for side, phase in zip(stereo, phases, strict=True)
    ]
    thick: NDArray[np.float32] = (0.75 * (stereo + np.stack(swayed))).astype(np.float32)
    return thick


def tremolo(
    stereo: NDArray[np.float32], rng: np.random.Generator, sample_rate: int, rate_hz: float
) -> NDArray[np.float32]:
    """Sway the level; float32 [C=2, T]."""
    angle = 2.0 * np.pi * rate_hz / sample_rate * np.arange(stereo.shape[-1], dtype=np.float32)
    depth = rng.uniform(0.2, 0.7)
    gain = 1.0 - depth * (0.5 + 0.5 * np.sin(angle + rng.uniform(0.0, 6.28)))
    swayed: NDArray[np.float32] = (stereo * gain).astype(np.float32)
    return swayed


def echo(
    stereo: NDArray[np.float32], sample_rate: int, delay_s: float, feedback: float, wet: float
) -> NDArray[np.float32]:
    """Repeat fading copies, from side to side; float32 [C=2, T]."""
    sum_of_all = stereo.copy()
    copy, level = stereo, wet
    while level > 0.02:
        copy = shift(copy[::-1], round(delay_s * sample_rate))
        sum_of_all += np.float32(level) * copy
        level *= feedback
    return sum_of_all


def shift(audio: NDArray[np.float32], delay: int) -> NDArray[np.float32]:
    """Delay by whole samples, keeping the length; float32 [..., T]."""
    if delay <= 0:
        return audio
    late = np.zeros_like(audio)
    late[..., delay:] = audio[..., : audio.shape[-1] - delay]
    return late
