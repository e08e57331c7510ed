"""Rendering through the plugin, all of it or not at all.

A host cannot be told by a plugin that something went wrong: a render whose engine has died ends
with the mixture in place of stems and looks like any other. The plugin counts what it missed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamsep.errors import EngineError, InputError
from vst_wrapper.shim.status import shim_status

if TYPE_CHECKING:
    import pedalboard
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

__all__ = ["render_with_shim"]

_MOST_CHANNELS = 2


def render_with_shim(
    plugin: pedalboard.VST3Plugin, mix: Samples, sample_rate: int, *, buffer_size: int = 8192
) -> Samples:
    """Render a whole song through the plugin; its parameters decide what is heard.

    Args:
        plugin: what `load_shim` returned.
        mix: float32 [C, T], C 1 or 2.
        sample_rate: samples per second.
        buffer_size: samples that the plugin gets at once.

    Returns:
        float32 [C, T], aligned with the song.

    Raises:
        InputError: the song has another shape.
        EngineError: the engine was not there for all of it.
    """
    if mix.ndim != 2 or not 1 <= mix.shape[0] <= _MOST_CHANNELS:
        raise InputError(f"expected samples [C, T] of 1 or 2 channels, got {list(mix.shape)}")
    before = shim_status(plugin)
    out = plugin.process(mix, sample_rate, buffer_size=buffer_size, reset=True)
    after = shim_status(plugin)
    missed = after.missed - before.missed
    substituted = after.substituted - before.substituted
    if missed or substituted:
        why = after.problem or before.problem or "it was too late"
        raise EngineError(
            f"the render is not whole: {missed} of {mix.shape[-1]} samples are without their stems "
            f"({substituted} messages were late): {why}"
        )
    return np.asarray(out, np.float32)
