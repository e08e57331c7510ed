"""A singer: vocal folds, a mouth that moves, and consonants.

The folds make a buzz whose harmonics fall steadily; the throat and mouth are a tube with
resonances, the formants, and the two lowest of them tell the vowel. A word is the formants on the
move. So a sung note here is a row of spectra from the shape in which the mouth opens, through the
vowel, to the vowel it leaves on; the pitch scoops up to the note, glides from the one before and
swings with vibrato; breath follows the loudness, and bursts of noise stand for s, sh, t, k and f.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streamsep.synthesis.procedural.waves import (
    Mono,
    band_noise,
    frequency_of,
    harmonics_of,
    read_tables,
    tables_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Singer", "draw_singer"]

# First three formants of an adult man, Hz; the higher ones hardly move.
VOWELS = {
    "a": (730, 1090, 2440), "ae": (660, 1720, 2410), "e": (530, 1840, 2480),
    "i": (280, 2250, 2950), "o": (500, 850, 2410), "u": (310, 870, 2240),
    "uh": (600, 1200, 2400), "er": (490, 1350, 1690), "aw": (590, 880, 2540),
}  # fmt: skip
ONSETS = {"m": (250, 1100, 2100), "w": (300, 650, 2200), "l": (360, 1300, 2700),
          "r": (350, 1100, 1500), "y": (260, 2200, 3000)}  # fmt: skip
HIGH_FORMANTS = (3400.0, 4400.0, 5500.0, 6500.0, 7500.0, 8500.0, 9500.0, 10500.0)
BANDWIDTHS = (75.0, 95.0, 130.0, 180.0, 250.0, 320.0, 400.0, 500.0, 600.0, 700.0, 800.0)

# Band (Hz), length (s) and loudness of unvoiced consonants.
CONSONANTS = {
    "s": (4500.0, 11000.0, 0.11, 0.35), "sh": (1900.0, 6500.0, 0.11, 0.35),
    "t": (2500.0, 9000.0, 0.03, 0.5), "k": (1300.0, 3500.0, 0.035, 0.5),
    "f": (1000.0, 12000.0, 0.08, 0.1), "p": (300.0, 1800.0, 0.025, 0.4),
    "h": (700.0, 5000.0, 0.07, 0.12),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Singer:
    """A singer.

    Attributes:
        sample_rate: samples per second.
        throat: formants relative to a man's; about 1.17 for a woman, 1.3 for a child.
        tilt: how steeply harmonics fall; 0.7 is pressed, 1.5 soft.
        breath: loudness of breath relative to the voice.
        vibrato_hz: rate of the vibrato.
        vibrato_cents: its depth on long notes.
        jitter_cents: unsteadiness of the pitch.
        scoop_cents: how far below a note the voice starts.
        glide_s: time to slide from one note to the next, seconds.
        consonants: share of notes that begin with an unvoiced consonant.
        drawl: share of notes that change vowel.
    """

    sample_rate: int
    throat: float
    tilt: float
    breath: float
    vibrato_hz: float
    vibrato_cents: float
    jitter_cents: float
    scoop_cents: float
    glide_s: float
    consonants: float
    drawl: float

    def sing(
        self,
        rng: np.random.Generator,
        pitch: float,
        held: int,
        velocity: float,
        coming_from: float | None,
    ) -> Mono:
        """Sing one syllable.

        Args:
            rng: draws the syllable.
            pitch: MIDI note number.
            held: length, samples.
            velocity: loudness, above 0 and up to 1.
            coming_from: pitch of the note just before, when the two are tied; else None.

        Returns:
            float32 [held + a short release].
        """
        release = int(0.04 * self.sample_rate)
        length = held + release
        time_s = np.arange(length, dtype=np.float32) / np.float32(self.sample_rate)
        cents = self._pitch_curve(rng, time_s, pitch, coming_from)
        frequency = frequency_of(pitch)
        cycles = np.cumsum(2.0 ** (cents / 1200.0)) * (frequency / self.sample_rate)
        tables = self._mouth(rng, frequency, velocity)
        end_s = held / self.sample_rate
        corners_s = [0.0, min(0.07, 0.3 * end_s), 0.45 * end_s, 0.9 * end_s + 0.01]
        place = np.interp(time_s, corners_s, [0.0, 1.0, 2.0, 3.0]).astype(np.float32)
        tone = read_tables(tables, cycles, place)
        tone += self._breath_noise(rng, length)
        rise_s = min(0.03 if coming_from is None else 0.012, 0.3 * end_s)
        loudness = np.interp(
            time_s,
            [0.0, rise_s, 0.7 * end_s, end_s, length / self.sample_rate],
            [0.0, 1.0, 0.92, 0.75, 0.0],
        )
        loudness *= 1.0 + 0.06 * np.sin(2 * np.pi * self.vibrato_hz * time_s)
        return tone * loudness.astype(np.float32) * np.float32(velocity)

    def articulate(self, rng: np.random.Generator) -> Mono | None:
        """An unvoiced consonant to end where the note starts, float32 [T], or none."""
        if rng.random() > self.consonants:
            return None
        names = list(CONSONANTS)
        low_hz, high_hz, length_s, level = CONSONANTS[names[int(rng.integers(len(names)))]]
        length = int(length_s * float(rng.uniform(0.7, 1.4)) * self.sample_rate)
        scale = self.throat**0.5
        noise = band_noise(rng, length, low_hz * scale, high_hz * scale, self.sample_rate)
        ramp = np.linspace(0.0, 1.0, length, dtype=np.float32)
        # Plosives burst and die; sibilants swell.
        shape = np.exp(-4.0 * ramp) if length_s < 0.05 else (4 * ramp * (1 - ramp)) ** 0.7
        return noise * (shape * level * 0.35).astype(np.float32)

    def _pitch_curve(
        self, rng: np.random.Generator, time_s: Mono, pitch: float, coming_from: float | None
    ) -> NDArray[np.float64]:
        if coming_from is None:
            start = -self.scoop_cents * float(rng.uniform(0, 1))
        else:
            start = 100.0 * (coming_from - pitch)
        cents = start * np.exp(-((time_s / self.glide_s) ** 2))
        swell = np.clip((time_s - 0.18) / 0.3, 0.0, 1.0)
        angle = 2 * np.pi * self.vibrato_hz * time_s + float(rng.uniform(0, 6.28))
        cents = cents + self.vibrato_cents * swell * np.sin(angle)
        knots = np.arange(0.0, float(time_s[-1]) + 0.1, 0.025)
        wander = np.cumsum(rng.standard_normal(len(knots))) * 0.3 + rng.standard_normal(len(knots))
        unsteady: NDArray[np.float64] = cents + self.jitter_cents * np.interp(time_s, knots, wander)
        return unsteady

    def _mouth(
        self, rng: np.random.Generator, frequency: float, velocity: float
    ) -> NDArray[np.float32]:
        names = list(VOWELS)
        first = VOWELS[names[int(rng.integers(len(names)))]]
        last = VOWELS[names[int(rng.integers(len(names)))]] if rng.random() < self.drawl else first
        opening = first
        if rng.random() < 0.5:
            opening = list(ONSETS.values())[int(rng.integers(len(ONSETS)))]
        middle = tuple((2 * a + b) / 3 for a, b in zip(first, last, strict=True))
        number = harmonics_of(frequency, self.sample_rate)
        folds = number ** -(self.tilt * (1.25 - 0.35 * velocity))
        shapes = [self._throat_response(number * frequency, formants)
                  for formants in (opening, first, middle, last)]  # fmt: skip
        spectra = folds * np.stack(shapes)
        # Open vowels are louder than closed ones, but not by as much as the tube alone says.
        levels = np.linalg.norm(spectra, axis=-1, keepdims=True)
        return tables_of(spectra / (levels**0.8 * levels.max() ** 0.2 + 1e-9))

    def _throat_response(
        self, frequencies: NDArray[np.float64], formants: tuple[float, ...]
    ) -> NDArray[np.complex128]:
        response = np.ones(len(frequencies), dtype=np.complex128)
        for formant, width in zip((*formants, *HIGH_FORMANTS), BANDWIDTHS, strict=True):
            ratio = frequencies / (formant * self.throat)
            response /= 1.0 - ratio**2 + 1j * ratio * (width / formant)
        return response

    def _breath_noise(self, rng: np.random.Generator, length: int) -> Mono:
        low_hz, high_hz = 900.0 * self.throat, 6500.0 * self.throat
        noise = band_noise(rng, length, low_hz, high_hz, self.sample_rate)
        return np.float32(self.breath) * noise


def draw_singer(rng: np.random.Generator, lowest: float, sample_rate: int) -> Singer:
    """Draw a singer whose throat fits the lowest pitch of the part."""
    if lowest < 53:
        throat = float(rng.uniform(0.92, 1.08))
    elif lowest < 60 or rng.random() < 0.7:
        throat = float(rng.uniform(1.1, 1.25))
    else:
        throat = float(rng.uniform(1.22, 1.36))
    return Singer(
        sample_rate,
        throat,
        tilt=float(rng.uniform(0.7, 1.4)),
        breath=float(rng.uniform(0.004, 0.06)),
        vibrato_hz=float(rng.uniform(4.6, 6.6)),
        vibrato_cents=float(rng.choice([0, 15, 30, 50, 80])),
        jitter_cents=float(rng.uniform(2, 12)),
        scoop_cents=float(rng.uniform(0, 250)),
        glide_s=float(rng.uniform(0.02, 0.09)),
        consonants=float(rng.uniform(0.3, 0.85)),
        drawl=float(rng.uniform(0.2, 0.8)),
    )
