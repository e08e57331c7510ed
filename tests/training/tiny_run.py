"""The smallest training run that has everything in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import soundfile

from streamsep.config.training import (
    AugmentationConfig,
    AveragesConfig,
    DataConfig,
    NetworkChoice,
    OptimiserConfig,
    ScheduleConfig,
    SvdPenaltyConfig,
    TrainingConfig,
)
from streamsep.training.reports import StepReport, ValidationReport, Watcher

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["STEMS", "Notebook", "tiny_config", "validated", "write_song"]

STEMS = ("drums", "bass", "other", "vocals")


class Notebook(Watcher):
    """Writes down what a run says."""

    def __init__(self) -> None:
        self.steps: list[StepReport] = []
        self.songs: list[tuple[int, int]] = []
        self.validations: list[ValidationReport] = []

    def stepped(self, report: StepReport) -> None:
        self.steps.append(report)

    def validating(self, done: int, total: int) -> None:
        self.songs.append((done, total))

    def validated(self, report: ValidationReport) -> None:
        self.validations.append(report)


def tiny_config(**changes: object) -> TrainingConfig:
    """Six steps of a network with four channels, with augmentation and averages."""
    options = {
        "network": NetworkChoice(hidden=4, layer_scale=0.1),
        "augmentation": AugmentationConfig(
            remix=0.5,
            mono=0.5,
            swap_channels=0.5,
            flip_sign=0.5,
            varispeed=0.5,
            tilt=0.5,
            drive=0.5,
        ),
        "segment": 8_192,
        "batch_size": 1,
        "steps": 6,
        "optimiser": OptimiserConfig(learning_rate=1e-3, gradient_clip=5.0),
        "schedule": ScheduleConfig(warmup_steps=2, decay_starts=0.5),
        "averages": AveragesConfig(per_batch=(0.9,), per_epoch=(0.5,)),
        "precision": "float32",
        "checkpoint_every": 2,
        "licence": "MIT",
        "note": "a test",
    }
    return TrainingConfig(**{**options, **changes})


def validated() -> dict[str, object]:
    """Changes for a run with epochs of three steps, each followed by a validation."""
    return {
        "data": DataConfig(examples_per_epoch=3, validation_share=0.3),
        "steps": 6,
        "svd_penalty": SvdPenaltyConfig(weight=1e-4, rank=4, least_mib=0.01),
    }


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
