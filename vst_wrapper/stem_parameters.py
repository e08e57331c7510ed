"""What can be turned on a `StemPlugin`, as attributes like those of pedalboard's plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.mixing import Control, MixControls, Parameter
from streamsep.errors import ConfigError
from vst_wrapper.nearest import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["StemParameters"]

_PER_STEM = {"db": Parameter.GAIN, "mute": Parameter.MUTE, "solo": Parameter.SOLO}
_GLOBAL = {"dry_wet": Parameter.WET, "bypass": Parameter.BYPASS}


class StemParameters:
    """Levels, mutes and solos of stems; dry and wet; bypass.

    Attributes that begin with an underscore are ordinary ones, all others are parameters.

    Args:
        stems: names of the stems.
    """

    def __init__(self, stems: Sequence[str]) -> None:
        self._controls = MixControls(stems)

    @property
    def stems(self) -> tuple[str, ...]:
        """Names of the stems, in their order."""
        return self._controls.stems

    @property
    def parameters(self) -> dict[str, float | bool]:
        """The present value of every parameter by name."""
        return {name: getattr(self, name) for name in self._parameter_names()}

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._parameter_names()]

    def __getattr__(self, name: str) -> float | bool:
        if name.startswith("_"):  # an object that is only half made must not ask itself for ever
            raise AttributeError(f"StemPlugin has no attribute '{name}'")
        control = self._control(name)
        if control is None:
            raise AttributeError(f"StemPlugin has no parameter '{name}', {self._hint(name)}")
        value = self._controls.get(control)
        return bool(value) if control.parameter.is_switch else value

    def __setattr__(self, name: str, value: object) -> None:
        if name.startswith("_"):
            object.__setattr__(self, name, value)
            return
        control = self._control(name)
        if control is None:
            raise ConfigError(f"StemPlugin has no parameter '{name}', {self._hint(name)}")
        if not isinstance(value, int | float):
            raise ConfigError(f"{name}: got {value!r}, expected a number")
        try:
            self._controls.set(control, value)
        except ConfigError as error:
            problem = str(error).removeprefix(f"{control}: ")
            raise ConfigError(f"{name}: {problem}") from None

    def _control(self, name: str) -> Control | None:
        """What an attribute turns; None if it is no parameter."""
        if name in _GLOBAL:
            return Control(_GLOBAL[name])
        stem, _, ending = name.rpartition("_")
        if stem in self._controls.stems and ending in _PER_STEM:
            return Control(_PER_STEM[ending], stem)
        return None

    def _parameter_names(self) -> list[str]:
        return [
            *(f"{stem}_{ending}" for stem in self._controls.stems for ending in _PER_STEM),
            *_GLOBAL,
        ]

    def _hint(self, name: str) -> str:
        return nearest(name, self._parameter_names())
