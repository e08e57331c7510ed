"""Parameters that move with the song: points in time with straight lines between them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pedalboard

from streamsep.errors import ConfigError
from vst_wrapper.boards.effects import EFFECTS, Number, check_effect_parameter
from vst_wrapper.boards.external import check_external_parameter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Points = Sequence[tuple[float, float]]

__all__ = ["Automated", "Curve", "check_automation"]


@dataclass(frozen=True, slots=True)
class Automated:
    """A plugin of which some parameters move.

    Attributes:
        plugin: the plugin.
        curves: points (seconds of the song, value) in the order of their times, by parameter. The
            first value holds before the first point, the last after the last.
    """

    plugin: pedalboard.Plugin
    curves: Mapping[str, Points]


class Curve:
    """A value over time, piecewise linear.

    Args:
        points: (seconds, value), at least one, in the order of their times.
    """

    def __init__(self, points: Points) -> None:
        table: NDArray[np.float64] = np.asarray(points, np.float64)
        self._times, self._values = table.T.copy()

    def at(self, time_s: float) -> float:
        """The value at a time."""
        return float(np.interp(time_s, self._times, self._values))

    @property
    def extremes(self) -> tuple[float, float]:
        """The least and the greatest value."""
        return float(self._values.min()), float(self._values.max())


def check_automation(plugin: Any, parameter: str, points: Points, where: str) -> None:
    """Make sure that a parameter can follow a curve.

    Args:
        plugin: a `pedalboard.Plugin`.
        parameter: its parameter.
        points: of the curve.
        where: where on the board it stands, for messages.

    Raises:
        ConfigError: the plugin has no such parameter, it is no number or may not change while
            sound goes through, or the points are not in order or leave its range.
    """
    _check_points(points, f"{where}, parameter '{parameter}'")
    name = type(plugin).__name__
    external = isinstance(plugin, pedalboard.ExternalPlugin)
    for value in Curve(points).extremes:
        if external:
            check_external_parameter(plugin, parameter, value, where)
            if plugin.parameters[parameter].type is not float:
                raise ConfigError(
                    f"{where}, parameter '{parameter}': only numbers can be automated"
                )
        elif name in EFFECTS:
            kind = EFFECTS[name].get(parameter)
            if kind is not None and (not isinstance(kind, Number) or kind.fixed):
                raise ConfigError(
                    f"{where} ({name}), parameter '{parameter}': cannot be automated, it must stay "
                    "as it is while sound goes through"
                )
            check_effect_parameter(name, parameter, value, where)


def _check_points(points: Points, where: str) -> None:
    times = [time_s for time_s, _ in points]
    if not times or times[0] < 0 or any(b <= a for a, b in pairwise(times)):
        raise ConfigError(
            f"{where}: expected points (seconds, value), at least one and in the order of their "
            "times"
        )
