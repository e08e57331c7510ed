"""How far up a fader is, and which level that means.

A fader's way is divided as on mixing desks: most of it lies where one works, around 0 dB::

    position  0      1/4     1/2     3/4      1
    level   silence  -30     -10      0    highest_db

At 0 dB is a notch, one step of a 7-bit fader wide: without it, such a fader would miss 0 dB by a
quarter of a step, and a unity mix would never be exact again.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamsep.config.midi_map import FaderBinding

__all__ = ["Taper"]

_NOTCH = 0.5 / 127
_DESK = ((0.0, -60.0), (0.25, -30.0), (0.5, -10.0), (0.75, 0.0))


class Taper:
    """The levels along a fader.

    Args:
        binding: which control, and how its way is divided. `wet` is as high as the fader.
    """

    def __init__(self, binding: FaderBinding) -> None:
        lowest, highest = binding.lowest_db, binding.highest_db
        if binding.control == "wet":
            self._points = [(0.0, 0.0), (1.0, 1.0)]
        elif binding.taper == "desk":
            self._points = [*_DESK, (1.0, highest)]
        else:
            unity = -lowest / (highest - lowest)
            self._points = [(0.0, lowest), (unity, 0.0), (1.0, highest)]
        self._in_db = binding.control != "wet"
        self._unity = next(at for at, level in self._points if level == 0.0)

    def level(self, position: float) -> float:
        """The level at a position from 0 to 1; it never falls with the position."""
        if self._in_db and position <= 0.0:
            return -math.inf
        if self._in_db and abs(position - self._unity) <= _NOTCH:
            return 0.0
        for (low, bottom), (high, top) in pairwise(self._points):
            if position <= high:
                # So weighted, both ends are met exactly.
                share = (position - low) / (high - low)
                return bottom * (1.0 - share) + top * share
        return self._points[-1][1]

    def position(self, level: float) -> float:
        """Where a level is, 0 to 1; the nearer end for levels that the fader does not reach."""
        for (low, bottom), (high, top) in pairwise(self._points):
            if level <= bottom:
                return low
            if level <= top:
                return low + (high - low) * (level - bottom) / (top - bottom)
        return 1.0
