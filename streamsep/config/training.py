"""What a training run is told: configs/training/*.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

__all__ = ["AugmentationConfig", "NetworkConfig", "TrainingConfig"]

Probability = Annotated[float, Field(ge=0.0, le=1.0)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NetworkConfig(_Frozen):
    """The network to train: the fields of `HybridDemucsConfig` that runs differ in."""

    sources: tuple[str, ...] = ("drums", "bass", "other", "vocals")
    audio_channels: PositiveInt = 2
    sample_rate: PositiveInt = 44_100
    hidden: PositiveInt = 48
    depth: PositiveInt = 6
    layer_scale: PositiveFloat = 1e-3


class AugmentationConfig(_Frozen):
    """How often, and how much, training examples are changed. Zero turns a change off."""

    remix: Probability = 0.0
    stem_dropout: Probability = 0.0
    mono: Probability = 0.0
    swap_channels: Probability = 0.0
    flip_sign: Probability = 0.0
    repitch: Probability = 0.0
    repitch_range: float = Field(default=0.12, ge=0.0, le=0.5)
    tilt: Probability = 0.0
    tilt_db: float = Field(default=6.0, ge=0.0, le=24.0)
    drive: Probability = 0.0
    lowpass: Probability = 0.0
    gain_db: tuple[float, float] = (-12.0, 2.0)


class TrainingConfig(_Frozen):
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
    betas: tuple[float, float] = (0.9, 0.999)
    warmup_steps: PositiveInt = 60
    decay_starts: float = Field(default=0.5, ge=0.0, lt=1.0)
    gradient_clip: PositiveFloat = 5.0
    ema_decay: float = Field(default=0.999, ge=0.0, lt=1.0)
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    checkpoint_every: PositiveInt = 100
    seed: int = 0
    licence: str
    note: str
