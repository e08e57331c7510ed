"""Which network a run trains."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt

from streamsep.config.yaml_file import Document

__all__ = ["NetworkConfig"]


class NetworkConfig(Document):
    """The network to train: the fields of `HybridDemucsConfig` that runs differ in."""

    sources: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] = (
        "drums",
        "bass",
        "other",
        "vocals",
    )
    audio_channels: PositiveInt = 2
    sample_rate: PositiveInt = 44_100
    hidden: PositiveInt = 48
    depth: PositiveInt = 6
    layer_scale: PositiveFloat = 1e-3
