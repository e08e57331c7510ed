"""What a training run is told: configs/training/*.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt, model_validator

from streamsep.config.named import load_named_file
from streamsep.config.training.augmentation import AugmentationConfig
from streamsep.config.training.data import DataConfig
from streamsep.config.training.loss import LossConfig, SvdPenaltyConfig
from streamsep.config.training.network import NetworkChoice
from streamsep.config.training.optimisation import AveragesConfig, OptimiserConfig, ScheduleConfig
from streamsep.config.training.section import Section
from streamsep.config.training.streaming import StreamingConfig
from streamsep.config.training.validation import ValidationConfig

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["TrainingConfig", "load_training_config"]


class TrainingConfig(Section):
    """One training run.

    Attributes:
        network: the network to train from random weights.
        start_from: name or file of a network to go on from, with its shape; instead of `network`.
        data: how the examples are drawn from the songs.
        augmentation: what happens to the examples.
        segment: samples per example, a multiple of 2048.
        streaming: practise live tilings instead of whole segments.
        batch_size: examples per step and process.
        epochs: passes over the examples; either this or `steps`.
        steps: optimisation steps.
        loss: the error to make small.
        svd_penalty: penalty on large singular values.
        optimiser: Adam's numbers.
        schedule: the learning rate over time.
        averages: moving averages of the weights.
        validation: how the weights are judged.
        precision: arithmetic of the forward pass.
        checkpoint_every: steps between checkpoints; every validation is followed by one, too.
        seed: of the weights, the examples and their augmentation; it fits into 63 bits.
        licence: of the weights, written into the file.
        note: what the configuration makes, in a sentence, written into the file; which songs and
            how many steps it was is written after it.
    """

    network: NetworkChoice | None = None
    start_from: str | None = None
    data: DataConfig = DataConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    segment: int = Field(gt=0, multiple_of=2048)
    streaming: StreamingConfig | None = None
    batch_size: PositiveInt
    epochs: PositiveInt | None = None
    steps: PositiveInt | None = None
    loss: LossConfig = LossConfig()
    svd_penalty: SvdPenaltyConfig = SvdPenaltyConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    averages: AveragesConfig = AveragesConfig()
    validation: ValidationConfig = ValidationConfig()
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    checkpoint_every: PositiveInt = 100
    seed: int = Field(default=0, ge=0, lt=2**63)
    licence: str
    note: str

    @model_validator(mode="after")
    def _is_decided(self) -> TrainingConfig:
        if (self.network is None) == (self.start_from is None):
            raise ValueError(
                "expected either 'network', to start with random weights, or 'start_from', "
                "to go on with those of a network"
            )
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("expected either 'epochs' or 'steps'")
        if self.streaming is not None and self.streaming.segment[1] > self.segment:
            raise ValueError(
                f"key 'streaming.segment': got {self.streaming.segment[1]} at most, expected at "
                f"most the 'segment' of the examples, {self.segment}"
            )
        return self


def load_training_config(name_or_path: str | Path) -> TrainingConfig:
    """Read a training run's configuration.

    Args:
        name_or_path: the name of one that comes with streamsep, such as "starter", or the path of
            a YAML file.

    Raises:
        ConfigError: there is no such file, or it is wrong.
    """
    return load_named_file(name_or_path, "training configuration", "training", TrainingConfig)
