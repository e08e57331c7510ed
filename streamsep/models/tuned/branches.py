r"""The residual branches of `residual.py`, without ever writing down what their widest norm sees.

A branch ends in a convolution to 2C channels, a norm over all of them and a GLU that leaves C. The
norm only needs a mean and a variance, and those of a convolution with kernel 1 follow from what
goes into it. With h [q, T] the input, s its sum along time and G = h hᵀ its Gram matrix::

    Σ(Wh + b)   =  (1ᵀW) s + T·1ᵀb
    Σ(Wh + b)²  =  ⟨G, WᵀW⟩ + 2(Wᵀb)ᵀs + T·bᵀb

Once mean μ and deviation 1/r are known, the norm is a convolution as well, of h with three channels
more, and so are its weight w, its bias β and the learnt gain of the branch::

    w ⊙ r(Wh + b − μ) + β  =  [w⊙W  w⊙b  −w  β] [r·h; r; r·μ; 1]

What was four passes over 2C channels is one convolution with a GLU.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from streamsep.models.residual import BLSTM, LayerScale, LocalAttention, ResidualBranches
from streamsep.models.tuned.attention import TunedAttention
from streamsep.models.tuned.packed import GatedConvolution, PackedConvolution, can_pack
from streamsep.models.tuned.packed_lstm import PackedLSTM

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["TunedBranch", "TunedBranches"]


class TunedBranches:
    """All residual branches of a layer.

    Args:
        branches: the network's own.
        dtype: of convolutions and LSTMs; attention and statistics are in float32.
    """

    def __init__(self, branches: ResidualBranches, dtype: torch.dtype) -> None:
        self.branches = [TunedBranch(branch, dtype) for branch in branches.layers]

    def __call__(self, x: Tensor) -> Tensor:
        """Add to rows x [R, C, 1, T], every one by itself, what each branch makes of them."""
        for branch in self.branches:
            branch(x)
        return x


class TunedBranch:
    """One branch, and its input added to it.

    Args:
        branch: the network's own.
        dtype: as of `TunedBranches`.

    Attributes:
        narrow: width q of what lies between the branch's ends.
        reach: steps that the branch looks at on either side.
    """

    def __init__(self, branch: nn.Module, dtype: torch.dtype) -> None:
        assert isinstance(branch, nn.Sequential)
        squeeze, squeeze_norm, _, *inner, widen, widen_norm, _, scale = branch
        assert isinstance(squeeze, nn.Conv1d)
        assert isinstance(squeeze_norm, nn.GroupNorm)
        assert isinstance(widen_norm, nn.GroupNorm)
        assert isinstance(widen, nn.Conv1d)
        assert isinstance(scale, LayerScale)
        self.narrow = squeeze.out_channels
        self.reach = squeeze.dilation[0]
        self.squeeze = PackedConvolution.of(squeeze, dtype)
        self._norm = _RowNorm(squeeze_norm)
        self._inner = [_tuned(module, dtype) for module in inner]
        self.widen = _NormalisedGate(widen, widen_norm, scale, dtype)

    def __call__(self, x: Tensor) -> Tensor:
        """Add to rows x [R, C, 1, T], every one by itself, what the branch makes of them."""
        return self.widen(self.between(self.squeeze(x)), x)

    def between(self, h: Tensor) -> Tensor:
        """What happens between squeezing and widening: [R, q, 1, T] to [R, T, q]."""
        rows, _, _, steps = h.shape
        # In memory [R, T, q]: one row is one group of the norm.
        h = h.permute(0, 2, 3, 1).reshape(rows, steps, -1)
        h = F.gelu(self._norm(h))
        for module in self._inner:
            h = module(h)
        return h


def _tuned(module: nn.Module, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
    """An LSTM or an attention, from h [R, T, q] to the same shape and type.

    Attention subtracts penalties that grow with the distance, and needs them exact.
    """
    if isinstance(module, LocalAttention):
        attention = TunedAttention(module)
        return lambda h: attention(h.float()).to(h.dtype)
    blstm = copy.deepcopy(module).to(dtype)
    assert isinstance(blstm, BLSTM)
    assert isinstance(blstm.lstm, nn.LSTM)
    if can_pack(blstm.linear.weight):
        blstm.add_module("lstm", PackedLSTM(blstm.lstm, dtype))
    return lambda h: torch.as_tensor(blstm(h.transpose(1, 2))).transpose(1, 2)


class _NormalisedGate:
    """Kernel 1, norm, GLU and the branch's gain, as one gated convolution."""

    def __init__(
        self, conv: nn.Conv1d, norm: nn.GroupNorm, scale: LayerScale, dtype: torch.dtype
    ) -> None:
        assert conv.bias is not None
        place = conv.weight.device
        weight, bias = _exact(conv.weight)[..., 0], _exact(conv.bias)
        self._eps = norm.eps
        # From Gram matrix and mean of h, in a row, to the mean and the mean square behind the
        # convolution.
        gram = torch.stack([torch.zeros_like(weight.T @ weight), weight.T @ weight], dim=-1)
        linear = torch.stack([weight.sum(0), 2 * bias @ weight], dim=-1)
        moments = torch.cat([gram.flatten(0, 1), linear]) / len(weight)
        self._moments = moments.float().to(place)
        moments_bias = torch.stack([bias.sum(), bias @ bias]) / len(weight)
        self._moments_bias = moments_bias.float().to(place)
        gain = _exact(torch.cat([scale.scale, torch.ones_like(scale.scale)]))
        w, beta = _exact(norm.weight) * gain, _exact(norm.bias) * gain
        columns = [w[:, None] * weight, (w * bias)[:, None], -w[:, None]]
        if dtype != torch.float32:
            # The two factors that hold for a whole row come in two parts, so as not to be rounded.
            columns += columns[1:]
        columns.append(beta[:, None])
        unused = -sum(column.shape[1] for column in columns) % _ALIGNED
        columns.append(weight.new_zeros(len(weight), unused))
        self._unused = unused
        joined = torch.cat(columns, dim=1).float().to(place)
        self._gate = GatedConvolution(joined[:, :, None, None], None, dtype=dtype)

    def __call__(self, h: Tensor, onto: Tensor, among: Tensor | None = None) -> Tensor:
        """Widen rows h [R, T, q] and add them to rows [R, C, 1, T] in place.

        Args:
            h: what to widen.
            onto: what it is added to, and what is returned.
            among: steps [R, N, q] over which the norm is, if not over those of h alone.
        """
        mean, rate = self._statistics((h if among is None else among).float())
        rows = torch.stack([rate, mean * rate], dim=1)
        parts = [rows.to(h.dtype)]
        if h.dtype != torch.float32:
            parts.append((rows - parts[0]).to(h.dtype))
        parts.append(h.new_ones(len(h), 1))
        parts.append(h.new_zeros(len(h), self._unused))
        constant = torch.cat(parts, dim=1)[:, None]
        channels = h.shape[2]
        wide = h.new_empty(*h.shape[:2], channels + constant.shape[2])
        torch.mul(h, rate[:, None, None], out=wide[..., :channels])
        wide[..., channels:] = constant
        wide = wide.transpose(1, 2)[:, :, None]
        if len(wide) > 1:
            return self._gate(wide, onto)
        # A wave is one long row: some steps at a time stay in the cache.
        per_block = max(1, _BLOCK_BYTES // (onto.shape[1] * onto.element_size()))
        for part, place in zip(
            torch.split(wide, per_block, -1), torch.split(onto, per_block, -1), strict=True
        ):
            self._gate(part, place)
        return onto

    def _statistics(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and inverse deviation of what the convolution makes of each row, [R]."""
        gram = torch.bmm(h.transpose(1, 2), h).flatten(1) / h.shape[1]
        moments = torch.cat([gram, h.mean(1)], dim=1)
        mean, squares = torch.addmm(self._moments_bias, moments, self._moments).unbind(1)
        variance = torch.addcmul(squares, mean, mean, value=-1).clamp_(min=0)
        return mean, variance.add_(self._eps).rsqrt_()


def _exact(weight: Tensor) -> Tensor:
    """A weight in float64, on the processor: Apple's GPU has no such type."""
    return weight.detach().cpu().double()


_BLOCK_BYTES = 1 << 21
"""Of a wave that is widened at a time."""

_ALIGNED = 4
"""Channels come in multiples of this many: 16 bytes in float32."""


class _RowNorm:
    """The norm of one group over rows h [R, T, q]."""

    def __init__(self, norm: nn.GroupNorm) -> None:
        self._norm = norm
        self._spread: tuple[Tensor, Tensor] | None = None

    def __call__(self, h: Tensor) -> Tensor:
        spread = self._spread
        if spread is None or spread[0].shape != h.shape[1:] or spread[0].dtype != h.dtype:
            spread = self._spread_over(h)
        return F.layer_norm(h, h.shape[1:], *spread, self._norm.eps)

    def _spread_over(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Weight and bias for every step, kept for the next rows, which mostly are as long."""
        weight, bias = (
            each.detach().to(h.dtype).expand(h.shape[1:]).contiguous()
            for each in (self._norm.weight, self._norm.bias)
        )
        self._spread = weight, bias
        return weight, bias
