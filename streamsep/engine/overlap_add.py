r"""Turns the estimates of overlapping segments into one continuous output.

A sample is finished when no later segment gives it any weight, that is, when it lies before the
first weighted sample of the next segment::

    segment k      ______/▔▔▔▔▔▔\\___
    segment k+1            ______/▔▔▔▔▔▔\\___
    finished after k  ...→|                     everything before k+1's first weight

The buffer holds the part that is not finished: weighted estimates and, beside them, the weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from streamsep.engine.tiling import LEAST_WEIGHT, Tiling

__all__ = ["OverlapAdd"]


@dataclass(slots=True)
class _State:
    """The unfinished part of the output.

    Attributes:
        total: weighted estimates [G, S, C, span], from the next segment's first weighted sample.
        weight: sum of the weights [span].
    """

    total: Tensor
    weight: Tensor


class OverlapAdd:
    """Weighted average of overlapping estimates.

    Args:
        tiling: where segments lie and what they weigh.
        groups: G.
        stems: S.
        channels: C.
    """

    def __init__(self, tiling: Tiling, groups: int, stems: int, channels: int) -> None:
        self._hop = tiling.hop
        self._weight = tiling.weight[tiling.weighted]
        span = max(len(self._weight), tiling.hop)
        self._shape = (groups, stems, channels, span)
        self.reset()

    def reset(self) -> None:
        """Forget everything that is not finished."""
        self._state = _State(total=torch.zeros(self._shape), weight=torch.zeros(self._shape[-1]))

    def add(self, estimate: Tensor) -> Tensor:
        """Take in the next segment's estimate; return the samples it finishes.

        Args:
            estimate: of the samples that the tiling gives any weight, [G, S, C, n]; fewer where a
                segment ends with the stream.

        Returns:
            [G, S, C, hop]. After the last segment of a stream it may hold more than the stream: the
            caller, who knows the stream's length, cuts it.
        """
        state, hop = self._state, self._hop
        length = estimate.shape[-1]
        state.total[..., :length] += estimate * self._weight[:length]
        state.weight[:length] += self._weight[:length]
        finished = state.total[..., :hop] / state.weight[:hop].clamp(min=LEAST_WEIGHT)
        kept = state.total.shape[-1] - hop
        state.total[..., :kept] = state.total[..., hop:].clone()
        state.total[..., kept:] = 0.0
        state.weight[:kept] = state.weight[hop:].clone()
        state.weight[kept:] = 0.0
        return finished
