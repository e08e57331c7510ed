"""The error of the estimates: what a run makes small.

Whatever its kind, an error is a mean over samples and channels first, for every source of every
example, then over the sources by their weights. Samples may have weights, too: a run that practises
live streams counts only what a stream would emit.

- *L1*, the mean absolute error, is robust and the papers' choice. Where a network is unsure it asks
  for the median of what it thinks possible, and the median of music is softer than its mean.
- *MSE*, the mean squared error, asks for the mean, and lets loud examples rule.
- *RMS*, its square root per example and source, asks for the mean too, and weighs examples evenly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streamsep.config.training import LossConfig

__all__ = ["Criterion", "absolute_error", "rms_error", "squared_error"]

SOFTEST = 1e-4
"""Least deviation that an error is divided by: what is softer counts as silence."""

RMS_FLOOR = 1e-5
"""Added to a squared error under the root: errors 50 dB below the mixture no longer matter, and the
slope at no error at all is finite."""


def absolute_error(difference: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean of |difference| [..., C, T] over channels and samples.

    Args:
        difference: what the estimate is too much.
        weight: of the samples, broadcast against [..., C, T] and 1 long in C; None for equal ones.
    """
    return _mean(difference.abs(), weight)


def squared_error(difference: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean of difference² [..., C, T] over channels and samples; see `absolute_error`."""
    return _mean(difference.square(), weight)


def rms_error(difference: Tensor, weight: Tensor | None = None) -> Tensor:
    """Root of the mean of difference² [..., C, T]; see `absolute_error`."""
    return (squared_error(difference, weight) + RMS_FLOOR).sqrt()


def _mean(error: Tensor, weight: Tensor | None) -> Tensor:
    if weight is None:
        return error.mean(dim=(-2, -1))
    return (error * weight).mean(dim=-2).sum(dim=-1) / weight.sum(dim=-1).squeeze(-1)


_ERRORS: dict[str, Callable[[Tensor, Tensor | None], Tensor]] = {
    "l1": absolute_error,
    "mse": squared_error,
    "rms": rms_error,
}


class Criterion:
    """The loss of a run, by its configuration.

    Args:
        config: the kinds of error and their weights.
        sources: names of the stems, in the order of the estimates.

    Raises:
        ConfigError: a weight is for a source that is not there, or all are 0.

    Source: "Hybrid Spectrogram and Waveform Source Separation" and "Music Source Separation in the
    Waveform Domain", section "Training" (L1 and MSE); the mixture's error is ours.
    """

    def __init__(self, config: LossConfig, sources: Sequence[str]) -> None:
        strange = sorted(set(config.source_weights) - set(sources))
        weights = [config.source_weights.get(source, 1.0) for source in sources]
        if strange or not any(weights):
            got = f"'{strange[0]}'" if strange else "only weights of 0"
            raise ConfigError(
                f"key 'loss.source_weights': got {got}, expected weights of "
                f"{', '.join(sources)}, one of them above 0"
            )
        self.config = config
        self._source_weights = torch.tensor(weights) / sum(weights)

    def __call__(self, estimate: Tensor, stems: Tensor, weight: Tensor | None = None) -> Tensor:
        """Judge estimates by the stems; the mixture is the sum of the stems.

        The mixture's error deserves a word. L1 on each stem favours medians, so estimates come out
        too quiet where the network is unsure and do not add up. Means do add up, and they are what
        a squared error, such as that of the nSDR, rewards; this term pulls towards them.

        Args:
            estimate: [B, S, C, T].
            stems: [B, S, C, T].
            weight: of the samples, [B, T], at least 0, not all 0; None for equal ones.

        Returns:
            The loss of every example, [B].
        """
        difference = estimate - stems
        if self.config.relative:
            deviation = stems.sum(dim=1).std(dim=(1, 2)).clamp(min=SOFTEST)
            difference = difference / deviation[:, None, None, None]
        sample_weight = None if weight is None else weight[:, None, None, :]
        source_weight = self._source_weights.to(difference)
        loss = difference.new_zeros(len(difference))
        for kind, share in self.config.weights.items():
            loss = loss + share * (_ERRORS[kind](difference, sample_weight) @ source_weight)
        if self.config.mixture:
            of_sum = difference.sum(dim=1, keepdim=True)
            loss = loss + self.config.mixture * absolute_error(of_sum, sample_weight)[:, 0]
        return loss
