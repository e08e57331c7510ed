"""Rendering through the plugin, all of it or not at all.

A host cannot be told by a plugin that something went wrong: a render whose engine has died ends
with the mixture in place of stems and looks like any other. The plugin counts what went wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamsep.errors import EngineError, InputError
from vst_wrapper.shim.status import shim_status

if TYPE_CHECKING:
    import pedalboard
    from numpy.typing import NDArray

    from vst_wrapper.shim.status import ShimStatus

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
        EngineError: the engine was not there for all of it, or not all of its stems were right.
    """
    if mix.ndim != 2 or not 1 <= mix.shape[0] <= _MOST_CHANNELS:
        raise InputError(f"expected samples [C, T] of 1 or 2 channels, got {list(mix.shape)}")
    before = shim_status(plugin)
    out = plugin.process(mix, sample_rate, buffer_size=buffer_size, reset=True)
    after = shim_status(plugin)
    faults = _faults_between(before, after, mix.shape[-1])
    if faults:
        # What kept the plugin from connecting before is over once it has.
        old = before.problem if after.connections == before.connections else ""
        why = after.problem or old
        reason = f": {why}" if why else ""
        raise EngineError(f"the render is not whole: {', '.join(faults)}{reason}; render it again")
    return np.asarray(out, np.float32)


def _faults_between(before: ShimStatus, after: ShimStatus, samples: int) -> list[str]:
    """What was wrong with a render of so many samples, in words; nothing if all was well."""
    texts = {
        "missed": f"{{}} of {samples} samples are without their stems",
        "substituted": "messages of stems that were late in the engine: {}",
        "non_finite": "values that were not finite: {}",
        "failures": "waits that were given up: {}",
        # Another session takes its place, and cannot hear what came before its first sample.
        "lost": "sessions that were lost: {}",
    }
    counts = {name: getattr(after, name) - getattr(before, name) for name in texts}
    return [texts[name].format(count) for name, count in counts.items() if count]
