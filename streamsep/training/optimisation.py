"""One optimisation step: separate, compare, differentiate, descend."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from streamsep.errors import TrainingError
from streamsep.training.dataset.chance import Purpose, generator
from streamsep.training.live_practice import LivePractice
from streamsep.training.loss import Criterion
from streamsep.training.mixed_precision import mixed_precision
from streamsep.training.reports import StepReport
from streamsep.training.schedule import rate_share_at
from streamsep.training.svd_penalty import svd_penalty

if TYPE_CHECKING:
    from streamsep.config.training import TrainingConfig
    from streamsep.models.architectures import Network
    from streamsep.training.batches import Batches
    from streamsep.training.team import Team

__all__ = ["Optimisation"]


class Optimisation:
    """Makes the steps of a run.

    What a step does depends on the configuration, the weights and its number, never on what
    happened before it in this process.

    Args:
        network: on the team's device.
        config: of the run.
        batches: number the examples and the steps.
        team: the processes that make the steps together.

    Attributes:
        criterion: the loss without the penalty.
        optimiser: Adam over the network's weights.

    Raises:
        ConfigError: the loss does not fit the sources, or the live tilings the network's stride.
    """

    def __init__(
        self, network: Network, config: TrainingConfig, batches: Batches, team: Team
    ) -> None:
        self._network = network
        self._config = config
        self._batches = batches
        self._team = team
        self.criterion = Criterion(config.loss, network.sources)
        self.optimiser = torch.optim.Adam(
            network.parameters(),
            lr=config.optimiser.learning_rate,
            betas=config.optimiser.betas,
            weight_decay=config.optimiser.weight_decay,
            fused=True,
        )
        self._practice = None
        if config.streaming is not None:
            self._practice = LivePractice(config.streaming, network.stride, config.seed)

    def go_on_from(self, state: dict[str, Any]) -> None:
        """Take up the optimiser's means of a run; its numbers remain those of the configuration.

        Args:
            state: that a checkpoint holds.
        """
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({**state, "param_groups": groups})

    def step(self, model: nn.Module, stems: Tensor, step: int) -> StepReport:
        """Make one step.

        Args:
            model: the network itself, or the wrapper that averages its gradients over the team.
            stems: of this process' examples, [B, S, C, T], on the team's device.
            step: steps done before.

        Raises:
            TrainingError: the loss or the gradient is not finite; no weight has changed.
        """
        # Whatever is drawn in a step is drawn again after a kill: dropouts, other ones in every
        # process, and the start of the SVD, which is of weights that all have, the same in all.
        self._seed(Purpose.DROPOUT, step, self._team.rank)
        losses = self._losses(model, stems, step)
        loss = self._checked(losses, step)
        self._seed(Purpose.SVD, step)
        penalty = self._penalty()
        self.optimiser.zero_grad()
        (losses.mean() + penalty).backward()
        rate = self._config.optimiser.learning_rate * rate_share_at(
            step, self._batches.steps, self._config.schedule
        )
        return StepReport(
            step=step + 1,
            steps=self._batches.steps,
            epoch=step // self._batches.steps_per_epoch + 1,
            loss=loss,
            penalty=float(penalty.detach()),
            learning_rate=rate,
            gradient_norm=self._descend(rate, step),
        )

    def _seed(self, purpose: Purpose, *numbers: int) -> None:
        """Make what torch draws next depend on the run's seed and on what is given here alone."""
        rng = generator(purpose, self._config.seed, *numbers)
        torch.manual_seed(int(rng.integers(2**63)))

    def _losses(self, model: nn.Module, stems: Tensor, step: int) -> Tensor:
        """The loss of every example of this process, [B]."""
        weight = None
        if self._practice is not None:
            stems = stems[..., : self._practice.segment(step)]
            weight = self._practice.weights(step, self._batches.indices(step)).to(stems.device)
        with mixed_precision(self._network, self._config.precision, stems.device):
            estimate = model(stems.sum(dim=1))
        return self.criterion(estimate.float(), stems, weight)

    def _penalty(self) -> Tensor:
        config = self._config.svd_penalty
        if not config.weight:
            return torch.zeros((), device=self._team.device)
        return config.weight * svd_penalty(self._network, config)

    def _checked(self, losses: Tensor, step: int) -> float:
        """The mean loss of all processes, once it is known to be a number.

        Raises:
            TrainingError: it is none, in all processes at once.
        """
        mean = float(self._team.sum(losses.detach().mean())) / self._team.size
        if math.isfinite(mean):
            return mean
        finite = losses.detach().isfinite().tolist()
        indices = self._batches.indices(step)
        broken = [index for index, fine in zip(indices, finite, strict=True) if not fine]
        raise _diverged("loss", mean, step, broken)

    def _descend(self, rate: float, step: int) -> float:
        """Clip the gradient and follow it; return its norm before clipping."""
        largest = self._config.optimiser.gradient_clip or math.inf
        norm = float(nn.utils.clip_grad_norm_(self._network.parameters(), largest))
        if not math.isfinite(norm):
            raise _diverged("gradient", norm, step, self._batches.indices(step))
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.step()
        return norm


def _diverged(what: str, value: float, step: int, examples: list[int]) -> TrainingError:
    """The error of a step whose result is no number, and which examples led to it."""
    numbers = ", ".join(map(str, examples))
    whose = f"examples {numbers}" if examples else "examples of another process"
    return TrainingError(
        f"the {what} of step {step + 1} is {value} ({whose}), expected a number; the checkpoint "
        "before it is as it was: lower the learning rate, set a gradient_clip or look for broken "
        "audio, then go on from it"
    )
