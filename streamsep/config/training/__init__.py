"""What a training run is told: configs/training/*.yaml, a file here per section of them."""

from __future__ import annotations

from streamsep.config.training.augmentation import AugmentationConfig
from streamsep.config.training.data import DataConfig
from streamsep.config.training.loss import LossConfig, SvdPenaltyConfig
from streamsep.config.training.network import NetworkChoice
from streamsep.config.training.optimisation import AveragesConfig, OptimiserConfig, ScheduleConfig
from streamsep.config.training.run import TrainingConfig, load_training_config
from streamsep.config.training.streaming import StreamingConfig
from streamsep.config.training.validation import ValidationConfig

__all__ = [
    "AugmentationConfig",
    "AveragesConfig",
    "DataConfig",
    "LossConfig",
    "NetworkChoice",
    "OptimiserConfig",
    "ScheduleConfig",
    "StreamingConfig",
    "SvdPenaltyConfig",
    "TrainingConfig",
    "ValidationConfig",
    "load_training_config",
]
