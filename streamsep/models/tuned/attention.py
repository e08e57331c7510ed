"""The local attention of `residual.py`, with what goes into it computed at once.

Content, query, key and decay are four convolutions of the same steps with kernel 1: one matrix
product. The penalties are put where the scores will be, and the product of keys and queries is
added to them as it is computed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from streamsep.models.tuned.packed import PackedConvolution

if TYPE_CHECKING:
    from torch import Tensor

    from streamsep.models.residual import LocalAttention

__all__ = ["TunedAttention"]

_ITSELF = -100.0
"""Score of a step with itself; alone in a window it is all there is."""


class TunedAttention:
    """Attention along time, in float32.

    Args:
        attention: the network's own.
    """

    def __init__(self, attention: LocalAttention) -> None:
        parts = attention.query, attention.key, attention.content, attention.query_decay
        weights, biases = zip(*((part.weight.detach(), part.bias) for part in parts), strict=True)
        self._channels = len(weights[0])
        self._parts = PackedConvolution(
            torch.cat(weights)[:, :, None], torch.cat(biases).detach(), dtype=torch.float32
        )
        self._project = PackedConvolution.of(attention.proj, torch.float32)
        heads, decays = attention.HEADS, attention.DECAYS
        self._heads = heads
        rates = torch.arange(1, decays + 1, device=weights[0].device, dtype=torch.float32)
        self._rates = rates / (-2 * decays**0.5)

    def __call__(self, h: Tensor) -> Tensor:
        """Map h [R, T, q] to the same shape."""
        rows, steps, channels = h.shape
        per_head = rows * self._heads, steps, channels // self._heads
        parts = _pointwise(self._parts, h)
        sizes = [channels] * 3 + [parts.shape[-1] - 3 * channels]
        *narrow, decay = torch.split(parts, sizes, -1)
        query, key, content = (
            each.reshape(rows, steps, self._heads, -1).transpose(1, 2).reshape(per_head)
            for each in narrow
        )
        scores = self._penalties(decay).baddbmm_(query, key.mT, alpha=per_head[-1] ** -0.5)
        scores.diagonal(dim1=1, dim2=2).fill_(_ITSELF)
        found = torch.bmm(F.softmax(scores, -1), content)
        found = found.view(rows, self._heads, steps, -1).transpose(1, 2).reshape(h.shape)
        return _pointwise(self._project, found).add_(h)

    def _penalties(self, decay: Tensor) -> Tensor:
        """What each query's scores begin with, falling with the distance: [R · heads, T, T]."""
        rows, steps, _ = decay.shape
        strength = torch.sigmoid(decay).reshape(rows, steps, self._heads, -1) @ self._rates
        position = torch.arange(steps, device=decay.device, dtype=decay.dtype)
        distance = (position[:, None] - position).abs_()
        return strength.transpose(1, 2).reshape(rows * self._heads, steps, 1) * distance


def _pointwise(conv: PackedConvolution, h: Tensor) -> Tensor:
    """A convolution with kernel 1 of rows [R, T, q]."""
    return conv(h.transpose(1, 2)[:, :, None])[:, :, 0].transpose(1, 2)
