"""The effects of pedalboard's own, by name, and what their parameters may be.

pedalboard checks some of its ranges; others it takes as they come, and answers with NaN, silence,
a loop without end or the end of the process. So every range is written down here, and the tests
hold the table against the parameters that pedalboard really has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pedalboard

from streamsep.errors import ConfigError
from vst_wrapper.nearest import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamsep.config.board import ParameterValue

__all__ = [
    "CANNOT_STREAM",
    "EFFECTS",
    "Choice",
    "Number",
    "Switch",
    "Text",
    "check_effect_parameter",
    "effect_names",
    "make_effect",
]


@dataclass(frozen=True, slots=True)
class Number:
    """A parameter that is a number.

    Attributes:
        low: the least it may be.
        high: the most it may be.
        below_nyquist: whether it is a frequency that must lie below half the sample rate.
        fixed: whether it must stay as it is while sound goes through, because it decides how long
            the effect holds the sound back or because changing it drops what is held.
    """

    low: float
    high: float
    below_nyquist: bool = False
    fixed: bool = False


@dataclass(frozen=True, slots=True)
class Switch:
    """A parameter that is true or false."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A parameter that is one of several names.

    Attributes:
        names: in pedalboard's spelling.
    """

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """A parameter that is the name of a file, given when the effect is made."""


Parameter = Number | Switch | Choice | Text

_SHARE = Number(0.0, 1.0)
_FEEDBACK = Number(-0.999, 0.999)
_LEVEL = Number(-120.0, 40.0)
_TIME = Number(0.0, 10_000.0)
_CUTOFF = Number(1.0, 192_000.0, below_nyquist=True)
_SHELF = {"cutoff_frequency_hz": _CUTOFF, "gain_db": Number(-60.0, 60.0), "q": Number(0.01, 100.0)}
_QUALITIES = Choice(
    (
        "ZeroOrderHold",
        "Linear",
        "CatmullRom",
        "Lagrange",
        "WindowedSinc",
        "WindowedSinc256",
        "WindowedSinc128",
        "WindowedSinc64",
        "WindowedSinc32",
        "WindowedSinc16",
        "WindowedSinc8",
    )
)

EFFECTS: Mapping[str, Mapping[str, Parameter]] = {
    "Bitcrush": {"bit_depth": Number(0.0, 32.0)},
    "BrickwallLimiter": {
        "ceiling_db": _LEVEL,
        "release_ms": Number(0.01, 10_000.0),
        "lookahead_ms": Number(0.01, 100.0, fixed=True),
        "true_peak": Switch(),
    },
    "Chorus": {
        "rate_hz": Number(0.0, 99.0),
        "depth": _SHARE,
        "centre_delay_ms": Number(1.0, 100.0),
        "feedback": _FEEDBACK,
        "mix": _SHARE,
    },
    "Clipping": {"threshold_db": _LEVEL},
    "Compressor": {
        "threshold_db": _LEVEL,
        "ratio": Number(1.0, 1000.0),
        "attack_ms": _TIME,
        "release_ms": _TIME,
    },
    "Convolution": {"impulse_response_filename": Text(), "mix": _SHARE},
    "Delay": {"delay_seconds": Number(0.0, 30.0), "feedback": _SHARE, "mix": _SHARE},
    "Distortion": {"drive_db": Number(-60.0, 60.0)},
    "Gain": {"gain_db": _LEVEL},
    "HighShelfFilter": _SHELF,
    "HighpassFilter": {"cutoff_frequency_hz": _CUTOFF},
    "Invert": {},
    "LadderFilter": {
        "mode": Choice(("LPF12", "HPF12", "BPF12", "LPF24", "HPF24", "BPF24")),
        "cutoff_hz": _CUTOFF,
        "resonance": _SHARE,
        "drive": Number(1.0, 100.0),
    },
    "Limiter": {"threshold_db": _LEVEL, "release_ms": Number(0.01, 10_000.0)},
    "LowShelfFilter": _SHELF,
    "LowpassFilter": {"cutoff_frequency_hz": _CUTOFF},
    "MP3Compressor": {"vbr_quality": Number(0.0, 9.9, fixed=True)},
    "NoiseGate": {
        "threshold_db": _LEVEL,
        "ratio": Number(1.0, 1000.0),
        "attack_ms": _TIME,
        "release_ms": _TIME,
    },
    "PeakFilter": _SHELF,
    "Phaser": {
        "rate_hz": Number(0.0, 99.0),
        "depth": _SHARE,
        "centre_frequency_hz": Number(1.0, 192_000.0, below_nyquist=True),
        "feedback": _FEEDBACK,
        "mix": _SHARE,
    },
    "Resample": {"target_sample_rate": Number(100.0, 384_000.0, fixed=True), "quality": _QUALITIES},
    "Reverb": {
        "room_size": _SHARE,
        "damping": _SHARE,
        "wet_level": _SHARE,
        "dry_level": _SHARE,
        "width": _SHARE,
        "freeze_mode": _SHARE,
    },
}
"""The parameters of every effect that can be streamed."""

CANNOT_STREAM = frozenset({"GSMFullRateCompressor", "PitchShift"})
"""Effects that lose what they hold whenever they are called again: pedalboard prepares an effect
before every block, and these clear their delay lines when they are prepared."""


def effect_names() -> tuple[str, ...]:
    """The effects that a board may use, in alphabetical order."""
    return tuple(EFFECTS)


def make_effect(
    name: str, parameters: Mapping[str, ParameterValue], where: str
) -> pedalboard.Plugin:
    """Make one effect.

    Args:
        name: its class in pedalboard.
        parameters: what differs from pedalboard's defaults.
        where: where on the board it stands, for messages.

    Raises:
        ConfigError: there is no such effect or parameter, or a value is out of range.
    """
    if name in CANNOT_STREAM:
        raise ConfigError(
            f"{where}: {name} cannot be used on a board: pedalboard's loses its sound between "
            "blocks; apply it to the finished file, or use a VST3 plugin in its place"
        )
    if name not in EFFECTS:
        raise ConfigError(f"{where}: unknown effect '{name}', {nearest(name, EFFECTS)}")
    for parameter, value in parameters.items():
        check_effect_parameter(name, parameter, value, where)
    try:
        return _built(name, parameters)
    except (ValueError, TypeError, RuntimeError, OSError) as error:
        raise ConfigError(f"{where} ({name}): {_one_line(error)}") from error


def check_effect_parameter(
    name: str, parameter: str, value: ParameterValue, where: str, sample_rate: int | None = None
) -> None:
    """Make sure that a parameter exists and may have a value.

    Args:
        name: the effect's class in pedalboard.
        parameter: its parameter.
        value: what it shall be.
        where: where on the board it stands, for messages.
        sample_rate: samples per second, where they are known: frequencies must lie below half.

    Raises:
        ConfigError: it does not, or it may not.
    """
    known = EFFECTS[name]
    if parameter not in known:
        hint = nearest(parameter, known) if known else "it takes none"
        raise ConfigError(f"{where} ({name}): unknown parameter '{parameter}', {hint}")
    problem = _problem(known[parameter], value, sample_rate)
    if problem:
        raise ConfigError(f"{where} ({name}), parameter '{parameter}': got {value!r}, {problem}")


def _problem(kind: Parameter, value: ParameterValue, sample_rate: int | None) -> str | None:
    """What is wrong with a value, or None."""
    match kind:
        case Number(low, high, below_nyquist):
            # NaN lies in no range. True would count as 1.
            if isinstance(value, bool | str) or not low <= value <= high:
                return f"expected a number from {low:g} to {high:g}"
            if below_nyquist and sample_rate is not None and value >= sample_rate / 2:
                return f"expected less than half the sample rate, {sample_rate / 2:g}"
        case Switch():
            if not isinstance(value, bool):
                return "expected true or false"
        case Choice(names):
            if value not in names:
                return nearest(str(value), names)
        case Text():
            if not isinstance(value, str):
                return "expected the name of a file"
    return None


def _built(name: str, parameters: Mapping[str, ParameterValue]) -> pedalboard.Plugin:
    kinds = EFFECTS[name]
    given = {key: value for key, value in parameters.items() if isinstance(kinds[key], Text)}
    if any(isinstance(kind, Text) for kind in kinds.values()) and not given:
        raise ValueError("expected the parameter 'impulse_response_filename', the name of a file")
    effect = getattr(pedalboard, name)(**given)
    for key, value in parameters.items():
        if isinstance(kinds[key], Choice):
            value = getattr(type(getattr(effect, key)), str(value))
        if key not in given:
            setattr(effect, key, value)
    return effect


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
