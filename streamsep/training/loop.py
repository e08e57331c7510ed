"""The training loop: draw, separate, compare, step; average; save; go on after a kill.

Started by itself it uses one process. Started by torchrun, every process takes its share of each
step's examples and the gradients are averaged (`DistributedDataParallel`), which on two CPU cores
is faster than two threads::

    streamsep train configs/training/starter.yaml --data songs --out runs/starter
    torchrun --nproc-per-node 2 --no-python streamsep train ...
"""

from __future__ import annotations

import logging
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import torch
import torch.distributed
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from streamsep.files import find_tracks
from streamsep.models.hybrid_demucs import HybridDemucs, HybridDemucsConfig
from streamsep.training.dataset import Examples
from streamsep.training.ema import AveragedWeights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from streamsep.config.training import TrainingConfig

__all__ = [
    "Progress",
    "Team",
    "TrainingRun",
    "join_team",
    "learning_rate_at",
    "mixture_loss",
    "waveform_loss",
]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """What is known after a step.

    Attributes:
        step: steps done.
        steps: steps in all.
        loss: mean L1 of the step, relative to the mixture's standard deviation.
    """

    step: int
    steps: int
    loss: float


@dataclass(frozen=True, slots=True)
class Team:
    """The processes that train together: how many, and which one this is."""

    size: int = 1
    rank: int = 0


def join_team(device: torch.device) -> Team:
    """Meet the other processes if torchrun started this one; all compute on one kind of device."""
    if not torch.distributed.is_torchelastic_launched():
        return Team()
    backend = "nccl" if device.type == "cuda" else "gloo"
    torch.distributed.init_process_group(backend)
    return Team(torch.distributed.get_world_size(), torch.distributed.get_rank())


def waveform_loss(estimate: Tensor, stems: Tensor, deviation: Tensor) -> Tensor:
    """Mean absolute error of [B, S, C, T] relative to the mixtures' deviation [B, 1, 1, 1].

    Source: "Hybrid Spectrogram and Waveform Source Separation", section "Training".
    """
    return ((estimate - stems) / deviation).abs().mean()


def mixture_loss(estimate: Tensor, mix: Tensor, deviation: Tensor) -> Tensor:
    """Mean absolute difference of the estimates' sum and the mixture, relative to its deviation.

    Where a network is unsure, L1 on each stem favours the median, which is softer than the mean:
    estimates come out too quiet and do not add up. Means do add up, and they are what a squared
    error, such as that of the nSDR, rewards; this term pulls towards them.

    Args:
        estimate: [B, S, C, T].
        mix: [B, C, T].
        deviation: of the mixtures, [B, 1, 1].
    """
    return ((estimate.sum(dim=1) - mix) / deviation).abs().mean()


def learning_rate_at(step: int, config: TrainingConfig) -> float:
    """The rate of a step: linear warm-up, constant, then half a cosine wave down to zero."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    decayed = step / config.steps - config.decay_starts
    if decayed <= 0:
        return config.learning_rate
    return (
        config.learning_rate * 0.5 * (1 + math.cos(math.pi * decayed / (1 - config.decay_starts)))
    )


class TrainingRun:
    """A run that can be killed at any moment and taken up again from its folder.

    Args:
        config: what to do.
        data: folder of songs, see `streamsep.files.stem_folders`.
        out: folder of the run; a checkpoint in it is continued.
        device: where to compute.
        team: from `join_team`.
        workers: processes that prepare examples; 0 prepares them in the loop.
    """

    def __init__(
        self,
        config: TrainingConfig,
        data: Path,
        out: Path,
        *,
        device: str | torch.device = "cpu",
        team: Team | None = None,
        workers: int = 0,
    ) -> None:
        self.config = config
        self.out = out
        self.device = torch.device(device)
        self.team = team or Team()
        self.workers = workers
        torch.manual_seed(config.seed)
        shape = HybridDemucsConfig(**config.network.model_dump())
        self.network = HybridDemucs(shape).to(self.device)
        self.optimizer = torch.optim.Adam(
            self.network.parameters(), lr=config.learning_rate, betas=config.betas
        )
        self.average = AveragedWeights(self.network, config.ema_decay)
        self.step = 0
        self.tracks = find_tracks(data, shape.sources, shape.sample_rate, shape.audio_channels)
        out.mkdir(parents=True, exist_ok=True)
        if self.checkpoint.exists():
            self._resume()

    @property
    def checkpoint(self) -> Path:
        """The file that holds the run's whole state."""
        return self.out / "checkpoint.pt"

    def averaged_network(self) -> HybridDemucs:
        """A copy of the network with the averaged weights, ready to separate."""
        network = HybridDemucs(self.network.config)
        network.load_state_dict(self.average.weights)
        return network.eval()

    def run(self, report: Callable[[Progress], None] | None = None) -> None:
        """Train to the last step.

        Args:
            report: called after every step.
        """
        model: nn.Module = self.network.train()
        if self.team.size > 1:
            model = DistributedDataParallel(self.network)
        for stems in self._batches():
            loss = self._optimise(model, stems.to(self.device))
            self.step += 1
            if report is not None:
                report(Progress(self.step, self.config.steps, loss))
            if self.step % self.config.checkpoint_every == 0 or self.step == self.config.steps:
                self._save()

    def _optimise(self, model: nn.Module, stems: Tensor) -> float:
        """One step on stems [B, S, C, T]; returns the loss."""
        mix = stems.sum(dim=1)
        deviation = mix.std(dim=(1, 2), keepdim=True).clamp(min=1e-4)
        half = self.config.precision == "bfloat16"
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=half):
            estimate = model(mix / deviation)
        estimate = estimate * deviation[:, None]
        loss = waveform_loss(estimate, stems, deviation[:, None])
        if self.config.mixture_weight:
            loss = loss + self.config.mixture_weight * mixture_loss(estimate, mix, deviation)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate_at(self.step, self.config)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), self.config.gradient_clip)
        self.optimizer.step()
        self.average.update(self.network)
        return float(loss.detach())

    def _batches(self) -> Iterator[Tensor]:
        """The batches of this process from the present step to the last."""
        config, team = self.config, self.team
        per_step = config.batch_size * team.size
        examples = Examples(
            self.tracks,
            config.segment,
            config.augmentation,
            sample_rate=self.network.sample_rate,
            count=config.steps * per_step,
            seed=config.seed,
        )
        mine = [
            step * per_step + team.rank * config.batch_size + item
            for step in range(self.step, config.steps)
            for item in range(config.batch_size)
        ]
        return iter(
            DataLoader(
                examples, batch_size=config.batch_size, sampler=mine, num_workers=self.workers
            )
        )

    def _save(self) -> None:
        """Write the checkpoint whole or not at all."""
        if self.team.rank != 0:
            return
        state = {
            "step": self.step,
            "network": asdict(self.network.config),
            "weights": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.state_dict(),
        }
        unfinished = self.checkpoint.with_suffix(".part")
        torch.save(state, unfinished)
        unfinished.replace(self.checkpoint)
        logger.info("saved %s at step %d", self.checkpoint, self.step)

    def _resume(self) -> None:
        state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        self.step = state["step"]
        self.network.load_state_dict(state["weights"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.load_state_dict(state["average"])
        logger.info("continuing %s from step %d", self.checkpoint, self.step)
