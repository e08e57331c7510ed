"""The smallest training run that has everything in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import soundfile

from streamsep.config.training import AugmentationConfig, NetworkConfig, TrainingConfig

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["STEMS", "tiny_config", "write_song"]

STEMS = ("drums", "bass", "other", "vocals")


def tiny_config(**changes: object) -> TrainingConfig:
    """Six steps of a network with four channels, all augmentation on."""
    options = {
        "network": NetworkConfig(hidden=4, layer_scale=0.1),
        "augmentation": AugmentationConfig(
            remix=0.5, mono=0.5, swap_channels=0.5, flip_sign=0.5, repitch=0.5, tilt=0.5, drive=0.5
        ),
        "segment": 8_192,
        "batch_size": 1,
        "steps": 6,
        "warmup_steps": 2,
        "learning_rate": 1e-3,
        "precision": "float32",
        "checkpoint_every": 2,
        "licence": "MIT",
        "note": "a test",
    }
    return TrainingConfig(**{**options, **changes})


def write_song(
    folder: Path,
    *,
    seed: int = 0,
    length: int = 12_000,
    sample_rate: int = 44_100,
    stems: tuple[str, ...] = STEMS,
    suffix: str = ".wav",
) -> Path:
    """One folder of stems: a tone each, with a little noise, different left and right."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    time = np.arange(length) / sample_rate
    for stem in stems:
        tone = np.sin(2 * np.pi * rng.uniform(60, 4_000) * time)[:, None] * rng.uniform(0.1, 0.4, 2)
        sound = tone + 0.01 * rng.standard_normal((length, 2))
        soundfile.write(folder / f"{stem}{suffix}", sound, sample_rate, subtype="PCM_16")
    return folder
