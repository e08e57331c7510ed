"""What a training run is told: configs/training/*.yaml."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from streamsep.config.locate import configs_folder
from streamsep.config.training.augmentation import AugmentationConfig
from streamsep.config.training.network import NetworkConfig
from streamsep.config.yaml_file import Document, load_yaml
from streamsep.errors import ConfigError

__all__ = ["TrainingConfig", "load_training_config"]

Pair = Annotated[tuple[float, float], Field(strict=False)]
"""Two numbers; a YAML list becomes a tuple."""


class TrainingConfig(Document):
    """One training run.

    Attributes:
        network: the shape of the network.
        augmentation: what happens to the examples.
        segment: samples per example, a multiple of 2048.
        batch_size: examples per step and process.
        steps: optimisation steps.
        learning_rate: Adam's rate between warm-up and decay.
        betas: Adam's betas.
        warmup_steps: steps of linear warm-up.
        decay_starts: share of the run after which the rate falls along a cosine to zero.
        mixture_weight: weight of the loss on the estimates' sum; 0 for none.
        gradient_clip: largest norm of the gradient.
        ema_decay: decay per step of the averaged weights, which are the ones kept.
        precision: arithmetic of the forward pass.
        checkpoint_every: steps between checkpoints.
        seed: of the weights, the examples and their augmentation.
        licence: of the weights, written into the file.
        note: how the network was trained, in a sentence, written into the file.
    """

    network: NetworkConfig = NetworkConfig()
    augmentation: AugmentationConfig
    segment: int = Field(gt=0, multiple_of=2048)
    batch_size: PositiveInt
    steps: PositiveInt
    learning_rate: PositiveFloat = 3e-4
    betas: Pair = (0.9, 0.999)
    warmup_steps: PositiveInt = 60
    decay_starts: float = Field(default=0.5, ge=0.0, lt=1.0)
    mixture_weight: float = Field(default=0.0, ge=0.0)
    gradient_clip: PositiveFloat = 5.0
    ema_decay: float = Field(default=0.999, ge=0.0, lt=1.0)
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    checkpoint_every: PositiveInt = 100
    seed: int = 0
    licence: str
    note: str


def load_training_config(name_or_path: str | Path) -> TrainingConfig:
    """Read a training run's configuration.

    Args:
        name_or_path: the name of one that comes with streamsep, such as "starter", or the path of
            a YAML file.

    Raises:
        ConfigError: there is no such file, or it is wrong.
    """
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml") or path.name != str(name_or_path):
        return load_yaml(path, TrainingConfig)
    ours = {file.stem: file for file in sorted(configs_folder("training").glob("*.yaml"))}
    if path.name in ours:
        return load_yaml(ours[path.name], TrainingConfig)
    near = get_close_matches(path.name, ours, n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    raise ConfigError(
        f"unknown training configuration '{name_or_path}', {hint}expected {', '.join(ours)} "
        "or the path of a .yaml file"
    )
