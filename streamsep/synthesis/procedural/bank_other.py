"""Sound bank of accompaniment: guitars, keys, strings, brass, plucks, bells and pipes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamsep.synthesis.procedural.bells import Mallet, Piano, Pipe
from streamsep.synthesis.procedural.electric import FrequencyModulation, Organ, Subtractive
from streamsep.synthesis.procedural.plucked import PluckedString

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamsep.synthesis.procedural.dice import Dice
    from streamsep.synthesis.procedural.waves import Instrument

__all__ = ["INSTRUMENTS", "electric_guitar"]


def electric_guitar(dice: Dice) -> Instrument:
    """Draw an electric guitar, to be amplified."""
    return PluckedString(
        dice.sample_rate,
        position=dice.between(0.08, 0.25),
        pickup=dice.between(0.06, 0.25),
        brightness=dice.between(0.9, 1.6),
        sustain_s=dice.between(0.8, 2.5),
        damping=dice.between(0.8, 3),
        noise=dice.between(0.02, 0.1),
        mute_short=dice.pick(1.0, 6.0, 12.0),
        seed=dice.seed(),
    )


def _acoustic_guitar(dice: Dice) -> Instrument:
    return PluckedString(
        dice.sample_rate,
        position=dice.between(0.1, 0.35),
        pickup=0.0,
        brightness=dice.between(0.9, 1.5),
        sustain_s=dice.between(0.4, 1.5),
        damping=dice.between(1, 4),
        noise=dice.between(0.02, 0.15),
        mute_short=2.0,
        seed=dice.seed(),
    )


def _electric_piano(dice: Dice) -> Instrument:
    return FrequencyModulation(
        dice.sample_rate,
        ratio=dice.pick(1.0, 1.0, 2.0, 3.0),
        index=dice.between(0.6, 3),
        index_s=dice.between(0.1, 0.8),
        tine=dice.between(0, 0.25),
        decay_s=dice.between(0.5, 2),
        release_s=dice.between(0.05, 0.3),
    )


def _piano(dice: Dice) -> Instrument:
    return Piano(
        dice.sample_rate,
        brightness=dice.between(0.5, 2.5),
        beating_cents=dice.between(0.5, 4),
        seed=dice.seed(),
    )


def _organ(dice: Dice) -> Instrument:
    bars = np.zeros(16)
    bars[[0, 1, 2, 3, 5, 7, 9, 11, 15]] = dice.rng.uniform(0, 1, 9) ** 2
    bars[1] += 0.5
    return Organ(
        dice.sample_rate,
        drawbars=tuple(float(bar) for bar in bars),
        wobble_hz=dice.pick(0.8, 5.5, 6.8),
        wobble=dice.between(0, 0.3),
        click=dice.between(0, 0.5),
    )


def _pad(dice: Dice) -> Instrument:
    return Subtractive(
        dice.sample_rate,
        wave=dice.pick("saw", "saw", "pulse", "square"),
        corner_hz=dice.between(400, 2500),
        sweep_octaves=dice.between(0, 2),
        sweep_s=dice.between(0.3, 2),
        resonance=dice.between(0.7, 2),
        attack_s=dice.between(0.05, 0.5),
        decay_s=1.0,
        sustain=dice.between(0.7, 1),
        release_s=dice.between(0.15, 0.6),
        unison=dice.pick(2, 3),
        detune_cents=dice.between(8, 30),
    )


def _strings(dice: Dice) -> Instrument:
    return Subtractive(
        dice.sample_rate,
        wave="saw",
        corner_hz=dice.between(1500, 4500),
        sweep_octaves=0.5,
        sweep_s=1.0,
        resonance=0.7,
        attack_s=dice.between(0.06, 0.25),
        decay_s=1.0,
        sustain=0.9,
        release_s=dice.between(0.1, 0.3),
        unison=3,
        detune_cents=dice.between(10, 25),
        vibrato_cents=dice.between(5, 25),
    )


def _brass(dice: Dice) -> Instrument:
    return Subtractive(
        dice.sample_rate,
        wave="saw",
        corner_hz=dice.between(300, 900),
        sweep_octaves=dice.between(1.5, 3),
        sweep_s=dice.between(0.2, 0.8),
        resonance=dice.between(0.7, 1.4),
        attack_s=dice.between(0.02, 0.07),
        decay_s=0.5,
        sustain=0.8,
        release_s=0.06,
        unison=dice.pick(1, 2, 3),
        detune_cents=dice.between(4, 14),
        vibrato_cents=dice.between(0, 20),
    )


def _synth_pluck(dice: Dice) -> Instrument:
    return Subtractive(
        dice.sample_rate,
        wave=dice.pick("saw", "square", "pulse"),
        corner_hz=dice.between(250, 900),
        sweep_octaves=dice.between(2, 4.5),
        sweep_s=dice.between(0.04, 0.2),
        resonance=dice.between(0.7, 3),
        attack_s=0.002,
        decay_s=dice.between(0.1, 0.5),
        sustain=dice.between(0, 0.4),
        release_s=0.08,
        unison=dice.pick(1, 2, 3),
        detune_cents=dice.between(4, 20),
    )


def _synth_lead(dice: Dice) -> Instrument:
    return Subtractive(
        dice.sample_rate,
        wave=dice.pick("saw", "square", "pulse", "triangle"),
        corner_hz=dice.between(900, 4000),
        sweep_octaves=dice.between(0, 2),
        sweep_s=0.3,
        resonance=dice.between(0.7, 3),
        attack_s=0.008,
        decay_s=0.5,
        sustain=0.8,
        release_s=0.05,
        unison=dice.pick(1, 2, 3),
        detune_cents=dice.between(4, 20),
        vibrato_cents=dice.between(0, 35),
    )


def _mallet(dice: Dice) -> Instrument:
    # A marimba, a free bar, a xylophone and a church bell.
    chosen = dice.pick(
        (1.0, 4.0, 10.0), (1.0, 2.76, 5.4, 8.9), (1.0, 3.0, 6.3), (1.0, 2.0, 2.4, 3.0, 4.5)
    )
    levels = tuple(0.7**i * dice.between(0.2, 1) for i in range(len(chosen)))
    return Mallet(
        dice.sample_rate,
        partials=chosen,
        levels=levels,
        decay_s=dice.between(0.2, 1.5),
        release_s=dice.between(0.05, 0.5),
    )


def _pipe(dice: Dice) -> Instrument:
    levels = tuple(0.75**i * dice.between(0.05, 1) for i in range(9))
    return Pipe(
        dice.sample_rate,
        levels=levels,
        breath=dice.between(0.01, 0.12),
        vibrato_cents=dice.between(0, 30),
        attack_s=dice.between(0.02, 0.08),
        seed=dice.seed(),
    )


INSTRUMENTS: dict[str, tuple[Callable[[Dice], Instrument], ...]] = {
    "chords": (
        _acoustic_guitar,
        electric_guitar,
        _electric_piano,
        _piano,
        _piano,
        _organ,
        _synth_pluck,
        _brass,
    ),
    "arpeggio": (
        _acoustic_guitar,
        electric_guitar,
        _electric_piano,
        _piano,
        _synth_pluck,
        _synth_pluck,
        _mallet,
    ),
    "pad": (_pad, _pad, _strings, _organ),
    "lead": (
        _synth_lead,
        _synth_lead,
        electric_guitar,
        _brass,
        _pipe,
        _mallet,
        _organ,
        _electric_piano,
        _strings,
    ),
    "riff": (_acoustic_guitar, _synth_pluck, _brass, _synth_lead, _electric_piano),
}
"""What may play each role; the more often it is named, the likelier."""
