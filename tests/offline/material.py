"""Songs and networks that the tests of file separation share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import torch
from fakes import Gains
from networks import random_network
from torch import Tensor

from streamsep.models import LoadedModel

if TYPE_CHECKING:
    from fakes import FakeSeparator

    from streamsep.offline import SeparatedTrack

__all__ = ["GAINS", "STEMS", "fake_model", "listing", "noise", "read", "stems_of", "tiny_model"]
__all__ += ["write"]

STEMS = ("drums", "bass", "other", "vocals")
GAINS = (0.1, 0.2, 0.3, 0.4)
"""Gains of stems that sum to the mixture."""


def fake_model(separator: FakeSeparator | None = None, segment: int = 4096) -> LoadedModel:
    """A separator without a network as if it had been loaded; by default one that only scales."""
    return LoadedModel(
        separator=separator or Gains(gains=GAINS),
        name="fake",
        path=Path("fake.safetensors"),
        licence="CC0",
        segment=segment,
    )


def tiny_model(segment: int = 16_384) -> LoadedModel:
    """A real network, about as small as they come, with random weights."""
    network = random_network(hidden=8).requires_grad_(False)
    return LoadedModel(
        separator=network,
        name="tiny",
        path=Path("tiny.safetensors"),
        licence="CC0",
        segment=segment,
    )


def noise(channels: int = 2, length: int = 10_000, seed: int = 0, level: float = 0.5) -> Tensor:
    """Evenly distributed noise [C, T] within ±level."""
    generator = torch.Generator().manual_seed(seed)
    return level * (2.0 * torch.rand(channels, length, generator=generator) - 1.0)


def write(
    path: Path, audio: Tensor | None = None, sample_rate: int = 44_100, subtype: str | None = None
) -> Path:
    """Write a song; noise if nothing is given, in float32 if it is a wav."""
    path.parent.mkdir(parents=True, exist_ok=True)
    audio = noise() if audio is None else audio
    if subtype is None and path.suffix == ".wav":
        subtype = "FLOAT"
    soundfile.write(path, audio.numpy().T, sample_rate, subtype)
    return path


def read(path: Path) -> Tensor:
    """The samples [C, T] of a file."""
    frames = soundfile.read(path, dtype="float32", always_2d=True)[0]
    return torch.from_numpy(np.ascontiguousarray(frames.T))


def stems_of(track: SeparatedTrack) -> Tensor:
    """The written stems [S, C, T]."""
    return torch.stack([read(path) for path in track.stems.values()])


def listing(folder: Path) -> list[str]:
    """Every file below a folder, hidden ones too."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
