"""Draws an instrument and what it is plugged into, for every role in a score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import signal

from streamsep.synthesis import desk
from streamsep.synthesis.procedural.bank_bass import STRING_BASSES, SYNTH_BASSES
from streamsep.synthesis.procedural.bank_other import INSTRUMENTS, electric_guitar
from streamsep.synthesis.procedural.plucked import PluckedString

if TYPE_CHECKING:
    from streamsep.synthesis.procedural.dice import Dice
    from streamsep.synthesis.procedural.waves import Instrument, Mono

__all__ = ["Amplifier", "Patch", "draw_bass", "draw_other"]

SYNTHETIC_BASS = {"house": 0.8, "trap": 0.9, "hiphop": 0.6, "breakbeat": 0.8, "disco": 0.4}
LOUD_STYLES = ("metal", "rock", "punk")


@dataclass(frozen=True, slots=True)
class Amplifier:
    """A guitar or bass amplifier: saturation, then the dull voice of a loudspeaker.

    Attributes:
        sample_rate: samples per second.
        gain: amount of drive; 0 leaves the sound clean.
        low_hz: what the loudspeaker no longer plays below.
        high_hz: and above.
    """

    sample_rate: int
    gain: float
    low_hz: float
    high_hz: float

    def play(self, track: Mono) -> Mono:
        """Amplify a whole track, so that notes that sound together intermodulate."""
        if self.gain > 0:
            # Saturation makes new harmonics; twice the rate leaves room for most of them.
            driven = desk.drive(signal.resample_poly(track, 2, 1).astype(np.float32), self.gain)
            track = signal.resample_poly(driven, 1, 2)[: len(track)].astype(np.float32)
        edges = np.array([self.low_hz, min(self.high_hz, 0.45 * self.sample_rate)])
        sections = signal.butter(2, edges * 2 / self.sample_rate, btype="bandpass", output="sos")
        played: Mono = signal.sosfilt(sections, track).astype(np.float32)
        return played


@dataclass(frozen=True, slots=True)
class Patch:
    """An instrument and, for some, its amplifier.

    Attributes:
        instrument: plays the notes.
        amplifier: plays the track of all notes, or None.
    """

    instrument: Instrument
    amplifier: Amplifier | None = None

    def amplify(self, track: Mono) -> Mono:
        """The track as it leaves the amplifier, float32 [T]."""
        return self.amplifier.play(track) if self.amplifier and track.any() else track


def draw_bass(dice: Dice, style: str) -> Patch:
    """Draw a bass: fingered, picked, slapped or a synthesiser, as the style suggests."""
    synthetic = dice.rng.random() < SYNTHETIC_BASS.get(style, 0.25)
    instrument = dice.pick(*(SYNTH_BASSES if synthetic else STRING_BASSES))(dice)
    gain = dice.pick(0.0, 0.0, 0.0, 0.0, 0.4, 0.4, 0.4, 0.9, 0.9, 2.5)
    high_hz = dice.between(1200, 6000)
    return Patch(instrument, Amplifier(dice.sample_rate, gain, 28.0, high_hz))


def draw_other(dice: Dice, role: str, style: str) -> Patch:
    """Draw an instrument for ``chords``, ``arpeggio``, ``lead``, ``pad`` or ``riff``."""
    if role == "riff" and (style in LOUD_STYLES or dice.rng.random() < 0.6):
        gain = dice.between(4, 25) if style == "metal" else dice.between(1.5, 12)
        return Patch(electric_guitar(dice), _cabinet(dice, gain))
    instrument = dice.pick(*INSTRUMENTS[role])(dice)
    if isinstance(instrument, PluckedString):
        loud = style in LOUD_STYLES and dice.rng.random() < 0.6
        gain = dice.between(1.5, 8) if loud else dice.pick(0.0, 0.0, 0.5, 1.5)
        return Patch(instrument, _cabinet(dice, gain))
    if role == "lead" and dice.rng.random() < 0.2:
        return Patch(instrument, _cabinet(dice, dice.between(1, 5)))
    return Patch(instrument)


def _cabinet(dice: Dice, gain: float) -> Amplifier:
    """Distorted guitars are heard through a duller loudspeaker than clean ones."""
    high_hz = dice.between(3500, 6500) if gain > 1 else dice.between(6000, 14000)
    return Amplifier(dice.sample_rate, gain, dice.between(60, 130), high_hz)
