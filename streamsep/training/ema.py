"""The average of a network's weights over its recent past, which generalises better."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["AveragedWeights"]


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
            self.weights[name].lerp_(value, 1.0 / self.count)

    def state_dict(self) -> dict[str, float | dict[str, Tensor]]:
        """What a checkpoint needs."""
        return {"count": self.count, "weights": self.weights}

    def load_state_dict(self, state: dict[str, float | dict[str, Tensor]]) -> None:
        """Go on from a checkpoint."""
        count, weights = state["count"], state["weights"]
        assert isinstance(count, float)
        assert isinstance(weights, dict)
        self.count, self.weights = count, weights
