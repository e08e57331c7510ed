"""The mixing desk that both bands share: pan, room, tone, grit, dynamics and levels.

A network that learns to separate music learns, for a good part, what recording and mixing do to
an instrument. A dry synthetic note is the easy case; the same note in a room, squeezed by a
compressor and driven into saturation is what a record holds. Every box below is a small classic:

    mono ─ pan ─► stereo ─ equalise ─ drive ─ compress ─ widen ─ reverb ─► stem ─┐
                                                          other stems ───────────┼─ balance ─► song
                                                                                 ┘

All audio is float32. The boxes neither care who played nor keep state, and those that draw at
random take the generator as an argument, so that a song is the same whenever its seed is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import signal

from streamsep.synthesis.score import STEMS, Stem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = [
    "active_rms",
    "balance",
    "compress",
    "drive",
    "equalise",
    "pan",
    "reverb",
    "widen",
]

_LOW_SHELF_HZ = 180.0
_HIGH_SHELF_HZ = 4000.0

_LEVELS_DB: dict[Stem, float] = {"drums": 0.8, "bass": 0.4, "other": -1.2, "vocals": 2.3}
"""Mean level of every stem while it sounds; vocals rest often, so they need the most."""

_LEVEL_SPREAD_DB = 2.8
_LEVEL_LIMIT_DB = 7.0


def pan(mono: NDArray[np.float32], position: float) -> NDArray[np.float32]:
    """Place a mono sound between the speakers at constant power.

    Args:
        mono: float32 [T].
        position: −1 is left, 0 the middle, 1 right.

    Returns:
        float32 [C=2, T].
    """
    angle = (np.clip(position, -1.0, 1.0) + 1.0) * np.pi / 4.0
    gains = np.array([np.cos(angle), np.sin(angle)], dtype=np.float32)
    return gains[:, None] * mono[None, :]


def reverb(
    stereo: NDArray[np.float32],
    rng: np.random.Generator,
    seconds: float,
    wet: float,
    sample_rate: int,
) -> NDArray[np.float32]:
    """Put a stereo sound into a room drawn at random.

    Args:
        stereo: float32 [C=2, T].
        rng: draws the room.
        seconds: time in which the room's tail falls by 60 dB, above 0.
        wet: level of the room relative to the dry sound, 0..1.
        sample_rate: samples per second.

    Returns:
        float32 [C=2, T]; what rings on after the end is cut.
    """
    if wet <= 0.0 or not stereo.any():
        return stereo
    room = _room(rng, seconds, sample_rate)
    tail = signal.oaconvolve(stereo, room, axes=-1)[:, : stereo.shape[-1]]
    mixed: NDArray[np.float32] = stereo + np.float32(wet) * tail.astype(np.float32)
    return mixed


def _room(rng: np.random.Generator, seconds: float, sample_rate: int) -> NDArray[np.float32]:
    """An impulse response of unit energy per channel: early reflections, then decaying noise."""
    length = max(int(seconds * sample_rate), int(0.08 * sample_rate))
    time_s = np.arange(length, dtype=np.float32) / np.float32(sample_rate)
    noise = rng.standard_normal((2, length), dtype=np.float32)
    # Air and walls swallow highs first: the dark part of the noise outlives the bright one.
    dark = signal.lfilter([0.25], [1.0, -0.75], noise, axis=-1)
    decay = np.float32(np.log(1000.0) / seconds)
    response = 0.5 * noise * np.exp(-2.2 * decay * time_s) + 1.6 * dark * np.exp(-decay * time_s)
    response[:, : int(rng.uniform(0.005, 0.03) * sample_rate)] = 0.0
    loudest = np.abs(response).max()
    for at_s in rng.uniform(0.004, 0.06, size=8):
        reflection = rng.uniform(-1.0, 1.0, size=2) * loudest * (1.5 - 10.0 * at_s)
        response[:, int(at_s * sample_rate)] += reflection
    energy = np.sqrt(np.mean(np.sum(response**2, axis=-1)))
    room: NDArray[np.float32] = (response / energy).astype(np.float32)
    return room


def equalise(
    audio: NDArray[np.float32], sample_rate: int, low_db: float, high_db: float
) -> NDArray[np.float32]:
    """Tilt the tone with a low and a high shelf.

    Args:
        audio: float32 [..., T].
        sample_rate: samples per second.
        low_db: gain below about 180 Hz, dB.
        high_db: gain above about 4 kHz, dB.

    Returns:
        float32 [..., T].
    """
    sections = np.stack(
        [
            _shelf(_LOW_SHELF_HZ / sample_rate, low_db, high=False),
            _shelf(min(_HIGH_SHELF_HZ / sample_rate, 0.45), high_db, high=True),
        ]
    )
    tilted: NDArray[np.float32] = signal.sosfilt(sections, audio, axis=-1).astype(np.float32)
    return tilted


def _shelf(corner: float, gain_db: float, *, high: bool) -> NDArray[np.float64]:
    """A first-order shelf by the bilinear transform, as one biquad; `corner` is Hz per sample."""
    warped = np.tan(np.pi * corner)
    root = 10.0 ** (gain_db / 40.0)
    # Splitting the gain between zero and pole keeps the corner at the middle of the slope.
    zero, pole = (1.0 / root, root) if high else (root, 1.0 / root)
    scale = root**2 if high else 1.0
    numerator = scale * np.array([warped * zero + 1.0, warped * zero - 1.0, 0.0])
    denominator = np.array([warped * pole + 1.0, warped * pole - 1.0, 0.0])
    biquad: NDArray[np.float64] = np.concatenate([numerator, denominator]) / denominator[0]
    return biquad


def drive(audio: NDArray[np.float32], amount: float) -> NDArray[np.float32]:
    """Saturate as valves and fuzz boxes do, without getting louder.

    Args:
        audio: float32 [..., T].
        amount: gain in front of the curve: 0 changes nothing, 1 is warm, 10 and more is fuzz.

    Returns:
        float32 [..., T] of the same RMS.
    """
    level = active_rms(audio)
    if amount < 1e-6 or level == 0.0:  # below, the curve is a line to float32
        return audio
    driven: NDArray[np.float32] = np.tanh(audio * np.float32(0.5 * amount / level))
    return driven * np.float32(level / active_rms(driven))


def compress(
    audio: NDArray[np.float32], sample_rate: int, threshold_db: float, ratio: float
) -> NDArray[np.float32]:
    """Turn loud passages down, then the whole up to its former level.

    All channels share one gain, so that the stereo image stands still.

    Args:
        audio: float32 [C, T] or [T].
        sample_rate: samples per second.
        threshold_db: where it sets in, dB relative to the RMS of what sounds.
        ratio: dB in for each dB out above the threshold, at least 1.

    Returns:
        float32 of the same shape.
    """
    level = active_rms(audio)
    if ratio <= 1.0 or level == 0.0:
        return audio
    power = np.mean(np.atleast_2d(audio).astype(np.float64) ** 2, axis=0)
    # The larger of a fast and a slow average rises fast and falls slowly, without a loop.
    envelope = np.maximum(_smooth(power, 0.004, sample_rate), _smooth(power, 0.09, sample_rate))
    over_db = 10.0 * np.log10(envelope / level**2 + 1e-9) - threshold_db
    gain = 10.0 ** (np.maximum(over_db, 0.0) * (1.0 / ratio - 1.0) / 20.0)
    squeezed = (audio * gain).astype(np.float32)
    return squeezed * np.float32(level / active_rms(squeezed))


def _smooth(
    power: NDArray[np.float64], time_constant_s: float, sample_rate: int
) -> NDArray[np.float64]:
    keep = np.exp(-1.0 / (time_constant_s * sample_rate))
    smoothed: NDArray[np.float64] = signal.lfilter([1.0 - keep], [1.0, -keep], power)
    return smoothed


def widen(stereo: NDArray[np.float32], sample_rate: int, amount: float) -> NDArray[np.float32]:
    """Spread a sound sideways, leaving its mono sum as it was.

    Args:
        stereo: float32 [C=2, T].
        sample_rate: samples per second.
        amount: 0 changes nothing, 1 is as wide as it is loud.

    Returns:
        float32 [C=2, T].
    """
    delay = round(0.011 * sample_rate)
    if amount <= 0.0 or stereo.shape[-1] <= delay:
        return stereo
    middle = stereo.mean(axis=0)
    side = np.zeros_like(middle)
    # Lows stay in the middle: a first difference keeps only what the ear can place.
    side[delay + 1 :] = np.diff(middle)[: len(middle) - delay - 1]
    placed = np.float32(amount) * signal.lfilter([0.3], [1.0, -0.7], side).astype(np.float32)
    return np.stack([stereo[0] + placed, stereo[1] - placed])


def active_rms(audio: NDArray[np.float32]) -> float:
    """RMS over the passages that sound, so that rests do not count.

    Args:
        audio: float32 [..., T].

    Returns:
        The RMS over all 4096-sample stretches within 30 dB of the loudest; 0 for silence.
    """
    if not audio.size:
        return 0.0
    channels = audio.reshape(-1, audio.shape[-1])
    power = np.mean(channels.astype(np.float64) ** 2, axis=0)
    starts = np.arange(0, power.size, 4096)
    stretches = np.add.reduceat(power, starts) / np.diff(starts, append=power.size)
    loudest = float(stretches.max())
    if loudest == 0.0:
        return 0.0
    return float(np.sqrt(stretches[stretches > 1e-3 * loudest].mean()))


def balance(
    stems: Mapping[Stem, NDArray[np.float32]], rng: np.random.Generator
) -> dict[Stem, NDArray[np.float32]]:
    """Set the faders of a song.

    Over many songs the mixture's SDR as an estimate of a stem lies near −5 dB, as in real music,
    and varies by several dB from song to song.

    Args:
        stems: all four stems, float32 [C=2, T] of one length, at any level.
        rng: draws the levels and the loudness of the song.

    Returns:
        The stems so that the mixture's peak lies between 0.3 and 0.95 (less where a stem alone
        would clip); silent ones stay zeros.
    """
    faded: dict[Stem, NDArray[np.float32]] = {}
    for stem in STEMS:
        offset_db = np.clip(
            _LEVEL_SPREAD_DB * rng.standard_normal(), -_LEVEL_LIMIT_DB, _LEVEL_LIMIT_DB
        )
        level = active_rms(stems[stem])
        wanted = 10.0 ** ((_LEVELS_DB[stem] + offset_db) / 20.0)
        faded[stem] = stems[stem] * np.float32(wanted / level if level else 0.0)
    target = rng.uniform(0.3, 0.95)
    peak = float(np.abs(sum(faded.values())).max())
    loudest = max(float(np.abs(audio).max()) for audio in faded.values())
    # Stems that cancel each other could be louder alone than together: none may clip.
    common = np.float32(min(target / peak, 0.99 / loudest) if peak else 0.0)
    return {stem: common * audio for stem, audio in faded.items()}
