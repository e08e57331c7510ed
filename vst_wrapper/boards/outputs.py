"""What a board gives, and where it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamsep.config.board import ALL_STEMS, MIX
from streamsep.errors import ConfigError
from vst_wrapper.nearest import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["board_outputs", "length_of_sound"]

SILENCE = 1e-6
"""A tail ends with its last sample beyond this, 120 dB below full scale."""


def board_outputs(outputs: Sequence[str], sources: Sequence[str]) -> tuple[str, ...]:
    """What a board gives for these stems.

    Args:
        outputs: ``mix``, names of stems, or ``stems`` for all of them.
        sources: names of the stems.

    Raises:
        ConfigError: there is no such stem, or nothing is asked for.
    """
    names: dict[str, None] = {}
    for name in outputs:
        if name not in (MIX, ALL_STEMS, *sources):
            hint = nearest(name, [MIX, ALL_STEMS, *sources])
            raise ConfigError(f"unknown output '{name}', {hint}")
        names.update(dict.fromkeys(sources if name == ALL_STEMS else (name,)))
    if not names:
        raise ConfigError("a board without outputs gives nothing; expected mix, stems or names")
    return tuple(names)


def length_of_sound(outputs: NDArray[np.float32]) -> int:
    """Samples up to the last that is heard."""
    heard = np.flatnonzero((np.abs(outputs) > SILENCE).any(axis=(0, 1)))
    return int(heard[-1]) + 1 if len(heard) else 0
