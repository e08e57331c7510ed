"""What can be turned while music plays: a few numbers that one process writes and another reads.

All of them lie side by side in one block of float64, which may be shared memory::

    layout  stems  wet  bypass  panic  master │ gain ×S │ mute ×S │ solo ×S

An aligned float64 is written in one piece on every machine that streamsep runs on, and each number
means something by itself, so neither side needs a lock. One process writes, any number may read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import TYPE_CHECKING, Self

import numpy as np

from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from mmap import mmap

    from numpy.typing import NDArray

__all__ = ["HIGHEST_GAIN_DB", "Amplitudes", "Control", "MixControls", "Parameter"]

HIGHEST_GAIN_DB = 12.0
"""More would only be distortion: stems are as loud as they are in the mixture."""

_LAYOUT = 1.0
"""First number of a block that has been set up; shared memory starts as zeros."""
_HEAD = 6


class Parameter(StrEnum):
    """What a control does."""

    GAIN = "gain"
    MUTE = "mute"
    SOLO = "solo"
    WET = "wet"
    BYPASS = "bypass"
    PANIC = "panic"
    MASTER = "master"

    @property
    def per_stem(self) -> bool:
        """Whether every stem has its own."""
        return self in _PER_STEM

    @property
    def is_switch(self) -> bool:
        """Whether it is only on (1) or off (0)."""
        return self in (Parameter.MUTE, Parameter.SOLO, Parameter.BYPASS, Parameter.PANIC)

    @property
    def is_level(self) -> bool:
        """Whether it is in dB, down to -inf, which is silence."""
        return self in (Parameter.GAIN, Parameter.MASTER)


_PER_STEM = (Parameter.GAIN, Parameter.MUTE, Parameter.SOLO)
_PLACES = {Parameter.WET: 2, Parameter.BYPASS: 3, Parameter.PANIC: 4, Parameter.MASTER: 5}


@dataclass(frozen=True, slots=True)
class Control:
    """One thing that can be turned, such as the gain of the vocals.

    Attributes:
        parameter: what it does.
        stem: whose it is; None for what every stem shares.
    """

    parameter: Parameter
    stem: str | None = None

    @classmethod
    def parse(cls, name: str) -> Self:
        """A control by its name: `vocals.gain`, `drums.mute`, `bass.solo`, `wet`, `master`, ...

        Raises:
            ConfigError: it is no such name.
        """
        stem, _, parameter = name.rpartition(".")
        found = next((each for each in Parameter if each == parameter), None)
        if found is None or found.per_stem != bool(stem):
            raise ConfigError(
                f"'{name}' is no control; expected STEM.gain, STEM.mute, STEM.solo, wet, bypass, "
                "panic or master"
            )
        return cls(found, stem or None)

    def __str__(self) -> str:
        return f"{self.stem}.{self.parameter}" if self.stem else str(self.parameter)


@dataclass(frozen=True, slots=True)
class Amplitudes:
    """What the controls amount to, as factors.

    Attributes:
        stems: one per stem. Mute counts more than solo, and solo silences those without it.
        wet: share of the stems, 0 to 1; the rest is the dry input. Bypass and panic make it 0.
        master: for everything that is played.
    """

    stems: list[float]
    wet: float
    master: float


class MixControls:
    """The present value of every control.

    A new block has every gain and the master at 0 dB, wet at 1 and every switch off.

    Args:
        stems: their names.
        buffer: memory to use, of at least `nbytes_for(stems)` bytes; own memory if None. Zeros are
            set up as a new block; a block that another process has set up is joined as it is.

    Raises:
        ConfigError: the buffer is too small, or holds the controls of other stems.
    """

    def __init__(
        self, stems: Sequence[str], buffer: bytearray | memoryview | mmap | None = None
    ) -> None:
        self.stems = tuple(stems)
        size = self.nbytes_for(stems)
        memory = memoryview(bytearray(size) if buffer is None else buffer)
        if memory.nbytes < size:
            raise ConfigError(
                f"the controls of {len(self.stems)} stems take {size} bytes, got {memory.nbytes}"
            )
        self._block: NDArray[np.float64] = np.frombuffer(memory, np.float64, size // 8)
        if self._block[0] != _LAYOUT:
            self._set_up()
        elif self._block[1] != len(self.stems):
            raise ConfigError(
                f"the shared controls are those of {self._block[1]:.0f} stems, expected "
                f"{len(self.stems)}"
            )

    @staticmethod
    def nbytes_for(stems: Sequence[str]) -> int:
        """Bytes that the controls of these stems take."""
        return 8 * (_HEAD + len(_PER_STEM) * len(stems))

    def names(self) -> list[str]:
        """All controls, as `Control.parse` takes them."""
        own = [f"{stem}.{parameter}" for stem in self.stems for parameter in _PER_STEM]
        return [*own, *_PLACES]

    def get(self, control: Control | str) -> float:
        """The value of a control: dB, 0 to 1 for wet, 0 or 1 for switches.

        Raises:
            ConfigError: there is no such control.
        """
        return float(self._block[self._place(_as_control(control))])

    def set(self, control: Control | str, value: float) -> None:
        """Turn a control.

        Args:
            control: which one.
            value: dB from -inf to `HIGHEST_GAIN_DB`, 0 to 1 for wet, 0 or 1 for switches.

        Raises:
            ConfigError: there is no such control, or the value is out of its range.
        """
        control = _as_control(control)
        place = self._place(control)
        parameter = control.parameter
        lowest, highest = (-math.inf, HIGHEST_GAIN_DB) if parameter.is_level else (0.0, 1.0)
        allowed = value in (0, 1) if parameter.is_switch else lowest <= value <= highest
        if not allowed:
            expected = "0 or 1" if parameter.is_switch else f"{lowest:g} to {highest:g}"
            raise ConfigError(f"{control}: got {value:g}, expected {expected}")
        self._block[place] = value

    def values(self) -> list[float]:
        """Every number of the block at this moment, to see whether any has changed.

        Real-time: one small list.
        """
        found: list[float] = self._block.tolist()
        return found

    def amplitudes(self) -> Amplitudes:
        """What the controls make of the stems at this moment.

        Real-time: some small lists.
        """
        values = self.values()
        count = len(self.stems)
        gains, mutes, solos = (
            values[_HEAD + row * count : _HEAD + (row + 1) * count] for row in range(3)
        )
        anyone_solo = any(solos)
        heard = [
            not mute and bool(solo or not anyone_solo)
            for mute, solo in zip(mutes, solos, strict=True)
        ]
        replaced = values[_PLACES[Parameter.BYPASS]] or values[_PLACES[Parameter.PANIC]]
        return Amplitudes(
            stems=[_amplitude(gain) if on else 0.0 for gain, on in zip(gains, heard, strict=True)],
            wet=0.0 if replaced else values[_PLACES[Parameter.WET]],
            master=_amplitude(values[_PLACES[Parameter.MASTER]]),
        )

    def release(self) -> None:
        """Let go of the buffer, so that shared memory can be closed; nothing else works then."""
        self._block = np.zeros(0)

    def _set_up(self) -> None:
        self._block[:] = 0.0
        self._block[1] = len(self.stems)
        self._block[_PLACES[Parameter.WET]] = 1.0
        self._block[0] = _LAYOUT

    def _place(self, control: Control) -> int:
        if control.stem is None:
            return _PLACES[control.parameter]
        if control.stem not in self.stems:
            near = get_close_matches(control.stem, self.stems, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"expected {', '.join(self.stems)}"
            raise ConfigError(f"{control}: there is no stem '{control.stem}', {hint}")
        rows = _PER_STEM.index(control.parameter)
        return _HEAD + rows * len(self.stems) + self.stems.index(control.stem)


def _as_control(control: Control | str) -> Control:
    return control if isinstance(control, Control) else Control.parse(control)


def _amplitude(level_db: float) -> float:
    return float(10.0 ** (level_db / 20.0))
