"""What a file may say about a network before anything is built from it.

The limits are wider than any network that exists. A damaged or hostile file must not make the
loader build a million layers.
"""

from __future__ import annotations

import reprlib
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from streamsep.config.network_description import MOST_SOURCES
from streamsep.errors import CheckpointError, ConfigError
from streamsep.models.architectures import ARCHITECTURES

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["check_config", "short"]

# A stride of 1 would never reach the last layer.
_RANGES = {
    "audio_channels": (1, 64),
    "sample_rate": (1_000, 1_000_000),
    "hidden": (1, 1024),
    "time_hidden": (1, 1024),
    "growth": (1, 4),
    "depth": (1, 12),
    "n_fft": (16, 65_536),
    "kernel_size": (1, 64),
    "stride": (2, 16),
    "time_stride": (1, 16),
    "context": (0, 16),
    "encoder_context": (0, 16),
    "wiener_iterations": (-100, 100),
    "training_wiener_iterations": (-100, 100),
    "band_layers": (0, 12),
    "norm_starts": (0, 1_000_000),
    "norm_groups": (1, 1024),
    "branch_depth": (-16, 16),
    "branch_compress": (0.25, 1024),
    "branch_lstm_starts": (0, 1_000_000),
    "branch_attention_starts": (0, 1_000_000),
    "lstm_layers": (0, 16),
    "hop": (1, 65_536),
    "bandwidth": (1.0, 1_000_000.0),
    "filters": (1, 4096),
    "filter_length": (2, 4096),
    "bottleneck": (1, 4096),
    "blocks": (1, 16),
    "repeats": (1, 16),
    "levels": (1, 16),
    "down_kernel": (1, 1024),
    "up_kernel": (1, 1024),
}
_MOST_BAND_EDGES = 32

_shortener = reprlib.Repr()
_shortener.maxlevel = 2
_shortener.maxstring = _shortener.maxother = _shortener.maxlong = 40


def check_config(options: Mapping[str, Any], architecture: str = "hybrid_demucs") -> Any:
    """Turn the options found in a file into a configuration.

    Args:
        options: by their names in the architecture's configuration; what is missing has its
            default.
        architecture: the network's name in `ARCHITECTURES`.

    Returns:
        The configuration, of the architecture's class.

    Raises:
        CheckpointError: the architecture is unknown, or an option is unknown, of the wrong kind or
            out of range.
    """
    if architecture not in ARCHITECTURES:
        raise CheckpointError(
            f"architecture {short(architecture)}, expected {', '.join(map(repr, ARCHITECTURES))}"
        )
    kind = ARCHITECTURES[architecture].config
    unknown = sorted(set(options) - {field.name for field in fields(kind)})
    if unknown:
        raise CheckpointError(f"unknown option {short(unknown[0])}, a newer streamsep may know it")
    for name, (least, most) in _RANGES.items():
        value = options.get(name)
        if value is None:
            continue
        if not isinstance(value, int | float) or not least <= value <= most:
            raise CheckpointError(f"{name} is {short(value)}, expected {least} to {most}")
    _check_sources(options.get("sources", ()))
    if len(options.get("band_edges", ())) > _MOST_BAND_EDGES:
        raise CheckpointError(f"more than {_MOST_BAND_EDGES} band_edges")
    try:
        return TypeAdapter(kind).validate_python(dict(options))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise CheckpointError(f"{name} is {short(first['input'])}, {first['msg']}") from None
    except ConfigError as error:
        raise CheckpointError(str(error)) from None


def short(value: object) -> str:
    """At most about 60 characters of a value, however deeply it is nested."""
    return f"{_shortener.repr(value):.60}"


def _check_sources(sources: object) -> None:
    """What they are called is checked with the rest of the configuration."""
    if not isinstance(sources, list | tuple) or len(sources) > MOST_SOURCES:
        raise CheckpointError(
            f"sources are {short(sources)}, expected at most {MOST_SOURCES} names"
        )
