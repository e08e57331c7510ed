"""Sound bank of basses: three strings and three synthesisers, each with room to vary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamsep.synthesis.procedural.electric import FrequencyModulation, Subtractive
from streamsep.synthesis.procedural.plucked import PluckedString

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamsep.synthesis.procedural.dice import Dice
    from streamsep.synthesis.procedural.waves import Instrument

__all__ = ["STRING_BASSES", "SYNTH_BASSES"]


def _finger_bass(dice: Dice) -> Instrument:
    return PluckedString(
        dice.sample_rate,
        position=dice.between(0.15, 0.3),
        pickup=dice.between(0.08, 0.25),
        brightness=dice.between(0.5, 0.9),
        sustain_s=dice.between(0.5, 1.8),
        damping=dice.between(6, 25),
        noise=dice.between(0, 0.04),
        mute_short=1.5,
        seed=dice.seed(),
    )


def _pick_bass(dice: Dice) -> Instrument:
    return PluckedString(
        dice.sample_rate,
        position=dice.between(0.06, 0.15),
        pickup=dice.between(0.05, 0.15),
        brightness=dice.between(0.8, 1.3),
        sustain_s=dice.between(0.6, 2.0),
        damping=dice.between(3, 10),
        noise=dice.between(0.03, 0.12),
        mute_short=2.0,
        seed=dice.seed(),
    )


def _slap_bass(dice: Dice) -> Instrument:
    return PluckedString(
        dice.sample_rate,
        position=dice.between(0.1, 0.2),
        pickup=dice.between(0.1, 0.2),
        brightness=dice.between(0.9, 1.5),
        sustain_s=dice.between(0.3, 0.9),
        damping=dice.between(4, 10),
        noise=dice.between(0.15, 0.4),
        mute_short=2.0,
        seed=dice.seed(),
    )


def _synth_bass(dice: Dice) -> Instrument:
    wave = dice.pick("saw", "square", "pulse")
    return Subtractive(
        dice.sample_rate,
        wave=wave,
        corner_hz=dice.between(80, 350),
        sweep_octaves=dice.between(0.5, 4),
        sweep_s=dice.between(0.04, 0.4),
        resonance=dice.between(0.7, 3.5),
        attack_s=0.003,
        decay_s=dice.between(0.1, 0.8),
        sustain=dice.between(0.3, 1),
        release_s=0.03,
        unison=dice.pick(1, 2),
        detune_cents=dice.between(3, 12),
    )


def _sub_bass(dice: Dice) -> Instrument:
    return Subtractive(
        dice.sample_rate,
        wave="triangle",
        corner_hz=dice.between(150, 500),
        sweep_octaves=dice.between(0, 2),
        sweep_s=0.03,
        resonance=0.7,
        attack_s=0.004,
        decay_s=dice.between(0.4, 1.5),
        sustain=dice.between(0.2, 0.9),
        release_s=0.06,
    )


def _fm_bass(dice: Dice) -> Instrument:
    return FrequencyModulation(
        dice.sample_rate,
        ratio=dice.pick(1.0, 2.0, 3.0),
        index=dice.between(0.8, 4),
        index_s=dice.between(0.05, 0.3),
        tine=0.0,
        decay_s=dice.between(0.4, 2),
        release_s=0.03,
    )


STRING_BASSES: tuple[Callable[[Dice], Instrument], ...] = (
    _finger_bass,
    _finger_bass,
    _pick_bass,
    _slap_bass,
)
SYNTH_BASSES: tuple[Callable[[Dice], Instrument], ...] = (_synth_bass, _sub_bass, _fm_bass)
