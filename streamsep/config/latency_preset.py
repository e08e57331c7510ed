"""Latency presets: how a stream is cut into segments, under a name.

A network hears a segment and speaks about its middle::

    |<------------- context ------------->|<-- hop -->|<- look_ahead ->|
                                          | goes out  |
                                          |<------- latency ---------->|

The first sample of a hop leaves when the whole hop and the look-ahead behind it have arrived, so
`latency` is hop + look_ahead. A longer look-ahead lets the network hear what follows a note before
it decides whose it is; a longer hop costs latency too, but divides the work, because the network
runs over the whole segment once per hop. Lengths are samples at the network's sample rate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from streamsep.config.locate import configs_folder
from streamsep.config.named import load_named
from streamsep.config.yaml_file import Document, load_yaml

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["GRID", "LatencyPreset", "load_preset", "load_presets"]

GRID = 2048
"""Segments lie on multiples of this many samples: the network sees the same piece of music
differently when it is moved by less."""


class LatencyPreset(Document):
    """A named way to cut a stream into segments.

    Attributes:
        name: what it is called on the command line.
        description: one line, what it trades for what.
        use: one line, what it is for.
        context: samples of the past in every segment, a multiple of 2048.
        hop: samples from segment to segment, a positive multiple of 2048.
        look_ahead: samples of the future in every segment, a multiple of 2048.
        crossfade: samples over which one segment's estimate blends into the next one's, at most
            the smaller of hop and look_ahead.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    description: str
    use: str
    context: int = Field(ge=0)
    hop: int = Field(gt=0)
    look_ahead: int = Field(ge=0)
    crossfade: int = Field(ge=0)

    @model_validator(mode="after")
    def _fits_the_grid(self) -> LatencyPreset:
        for key in ("context", "hop", "look_ahead"):
            value = getattr(self, key)
            if value % GRID:
                raise ValueError(
                    f"key '{key}': got {value}, expected a multiple of {GRID} samples; "
                    f"the nearest is {max(round(value / GRID), key == 'hop') * GRID}"
                )
        longest = min(self.hop, self.look_ahead)
        if self.crossfade > longest:
            raise ValueError(
                f"key 'crossfade': got {self.crossfade}, expected at most {longest}, "
                "the smaller of hop and look_ahead"
            )
        return self

    @property
    def segment(self) -> int:
        """Samples that the network sees at once."""
        return self.context + self.hop + self.look_ahead

    @property
    def latency(self) -> int:
        """Samples between a sample going in and the same sample coming out."""
        return self.hop + self.look_ahead

    @property
    def passes(self) -> float:
        """How many times each sample goes through the network: the price of a short hop."""
        return self.segment / self.hop


def load_presets(folder: Path | None = None) -> dict[str, LatencyPreset]:
    """Read all presets of a folder.

    Args:
        folder: holds one YAML file per preset; the ones that come with streamsep if None.

    Returns:
        The presets by name, shortest latency first.

    Raises:
        ConfigError: the folder is missing or a file in it is wrong.
    """
    files = sorted((folder or configs_folder("presets")).glob("*.yaml"))
    presets = sorted((load_yaml(file, LatencyPreset) for file in files), key=lambda p: p.latency)
    return {preset.name: preset for preset in presets}


def load_preset(name_or_path: str | Path) -> LatencyPreset:
    """Find a preset by its name, or read one from a file of your own.

    Args:
        name_or_path: one of the names of `load_presets`, or the path of a YAML file.

    Raises:
        ConfigError: there is no such preset or file, or the file is wrong.
    """
    return load_named(
        name_or_path, "latency preset", load_presets, lambda path: load_yaml(path, LatencyPreset)
    )
