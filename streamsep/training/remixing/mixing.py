"""Making a remix sound: stretch, transpose, place, and keep within full scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from streamsep.audio.time_stretch import time_stretch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from streamsep.files import TrackFolder
    from streamsep.training.remixing.planning import Recipe

__all__ = ["HEADROOM", "mix_remix", "within_full_scale"]

HEADROOM = 1.01
"""What is louder than full scale is made softer by its peak times this."""


def mix_remix(recipe: Recipe, tracks: Mapping[str, TrackFolder]) -> dict[str, Tensor]:
    """The stems of a remix.

    Args:
        recipe: what to make.
        tracks: the songs it is made of, by name.

    Returns:
        float32 [C, T] by name; their sum and they themselves stay within ±1.

    Raises:
        InputError: a stem cannot be read.
        MissingToolError: python-stretch is not installed.
    """
    stems = {}
    for number, part in enumerate(recipe.parts):
        length = tracks[part.song].length - part.start
        song = tracks[part.song].read(number, part.start, length)
        changed = time_stretch(
            song, recipe.sample_rate, tempo=part.speed, semitones=part.semitones
        )[:, part.skip : part.skip + recipe.length]
        stems[part.stem] = F.pad(changed, (0, recipe.length - changed.shape[1]))
    return within_full_scale(stems)


def within_full_scale(stems: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Make all stems softer by one factor, if one of them or their sum passes ±1.

    Args:
        stems: float32 [C, T] by name, all of one shape.
    """
    sounds = torch.stack(list(stems.values()))
    peak = max(float(sounds.abs().max()), float(sounds.sum(0).abs().max()))
    factor = 1.0 / max(1.0, HEADROOM * peak)
    return {name: stem * factor for name, stem in stems.items()}
