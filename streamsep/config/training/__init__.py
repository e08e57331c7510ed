"""What a training run is told: configs/training/*.yaml."""

from __future__ import annotations

from streamsep.config.training.augmentation import AugmentationConfig
from streamsep.config.training.network import NetworkConfig
from streamsep.config.training.run import TrainingConfig, load_training_config

__all__ = ["AugmentationConfig", "NetworkConfig", "TrainingConfig", "load_training_config"]
