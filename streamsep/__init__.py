"""streamsep separates music into stems while it plays.

    from streamsep import StreamConfig, StreamingSeparator, load_separator

    network = load_separator()
    config = StreamConfig(context=116736, hop=8192, look_ahead=8192, crossfade=2048)
    stream = StreamingSeparator(network, config, sample_rate=48_000)
    stems = stream.push(block)  # [C, t] in, [S, C, n] out; and stream.flush() at the end

Files in one call: `separate_file("song.flac")`. Importing the package is quick: torch and the rest
are loaded when one of these names is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from streamsep.errors import StreamSepError

if TYPE_CHECKING:
    from streamsep._version import __version__
    from streamsep.config import load_preset, load_presets
    from streamsep.engine import (
        FixedLatencySeparator,
        OverlapConfig,
        Separator,
        StreamConfig,
        StreamingSeparator,
    )
    from streamsep.files import Encoding
    from streamsep.models import load_model as load_separator
    from streamsep.offline import SeparationOptions, separate_file

__all__ = [
    "Encoding",
    "FixedLatencySeparator",
    "OverlapConfig",
    "SeparationOptions",
    "Separator",
    "StreamConfig",
    "StreamSepError",
    "StreamingSeparator",
    "__version__",
    "load_preset",
    "load_presets",
    "load_separator",
    "separate_file",
]

_HOMES = {
    "Encoding": ("streamsep.files", "Encoding"),
    "FixedLatencySeparator": ("streamsep.engine", "FixedLatencySeparator"),
    "OverlapConfig": ("streamsep.engine", "OverlapConfig"),
    "SeparationOptions": ("streamsep.offline", "SeparationOptions"),
    "Separator": ("streamsep.engine", "Separator"),
    "StreamConfig": ("streamsep.engine", "StreamConfig"),
    "StreamingSeparator": ("streamsep.engine", "StreamingSeparator"),
    "__version__": ("streamsep._version", "__version__"),
    "load_preset": ("streamsep.config", "load_preset"),
    "load_presets": ("streamsep.config", "load_presets"),
    "load_separator": ("streamsep.models", "load_model"),
    "separate_file": ("streamsep.offline", "separate_file"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'streamsep' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    value = getattr(importlib.import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
