"""The average of a network's weights over its recent past, which generalises better."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamsep.config.training import AveragesConfig

__all__ = ["AveragedWeights", "WeightAverages"]

AverageState = dict[str, float | dict[str, Tensor]]


class AveragedWeights:
    """An exponential moving average without the bias towards the first weights.

    The k-th update weighs in with 1/count where count = count · decay + 1, so early averages are
    plain means and later ones forget at the decay's rate.

    Args:
        network: whose weights to average.
        decay: share of the past that remains after an update, 0 to below 1.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.count = 0.0
        self.weights = {name: value.clone() for name, value in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take in the network's present weights."""
        self.count = self.count * self.decay + 1.0
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                self.weights[name].lerp_(value, 1.0 / self.count)
            else:  # counters of batch normalisation: they have no mean
                self.weights[name].copy_(value)

    def state_dict(self) -> AverageState:
        """What a checkpoint needs."""
        return {"count": self.count, "weights": self.weights}

    def load_state_dict(self, state: AverageState) -> None:
        """Go on from a checkpoint, wherever it was read to."""
        count, weights = state["count"], state["weights"]
        assert isinstance(count, float)
        assert isinstance(weights, dict)
        self.count = count
        self.weights = {
            name: value.to(self.weights[name].device) for name, value in weights.items()
        }


class WeightAverages:
    """The averages of a run: some over batches, some over epochs.

    The ones over batches smooth the noise of single steps, the ones over epochs reach back further
    than any of those. Which of them is best changes while the learning rate falls, so a run keeps
    several and lets the validation choose.

    Args:
        network: whose weights to average.
        config: the decays.

    Source: the training code published with "Hybrid Spectrogram and Waveform Source Separation".
    """

    def __init__(self, network: nn.Module, config: AveragesConfig) -> None:
        self._per_batch = {
            f"batch {decay:g}": AveragedWeights(network, decay) for decay in config.per_batch
        }
        self._per_epoch = {
            f"epoch {decay:g}": AveragedWeights(network, decay) for decay in config.per_epoch
        }

    def end_batch(self, network: nn.Module) -> None:
        """Take in the weights after a step."""
        for average in self._per_batch.values():
            average.update(network)

    def end_epoch(self, network: nn.Module) -> None:
        """Take in the weights after an epoch."""
        for average in self._per_epoch.values():
            average.update(network)

    def __iter__(self) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Name and weights of every average that has taken in some, batches first."""
        for name, average in (self._per_batch | self._per_epoch).items():
            if average.count:
                yield name, average.weights

    def state_dict(self) -> dict[str, AverageState]:
        """What a checkpoint needs, by the averages' names."""
        both = self._per_batch | self._per_epoch
        return {name: average.state_dict() for name, average in both.items()}

    def load_state_dict(self, state: dict[str, AverageState]) -> None:
        """Go on from a checkpoint with the same averages."""
        both = self._per_batch | self._per_epoch
        assert both.keys() == state.keys()
        for name, average in both.items():
            average.load_state_dict(state[name])
