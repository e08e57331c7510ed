r"""The residual branches of `residual.py`, without ever writing down what their widest norm sees.

A branch ends in a convolution to 2C channels, a norm over all of them and a GLU that leaves C. The
norm only needs a mean and a variance, and those of a convolution with kernel 1 follow from what
goes into it. With h [q, T] the input, s its sum along time and G = h hᵀ its Gram matrix::

    Σ(Wh + b)   =  (1ᵀW) s + T·1ᵀb
    Σ(Wh + b)²  =  ⟨G, WᵀW⟩ + 2(Wᵀb)ᵀs + T·bᵀb

Once mean μ and deviation 1/r are known, the norm is a convolution as well, of h with two channels
more, and so are its weight w, its bias β and the learnt gain of the branch::

    w ⊙ r(Wh + b − μ) + β  =  [w⊙W  w⊙b  −w] [r·h; r; r·μ] + β

What was four passes over 2C channels is one convolution with a GLU.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from streamsep.models.residual import BLSTM, LayerScale, ResidualBranches
from streamsep.models.tuned.packed import GatedConvolution, PackedConvolution

__all__ = ["TunedBranches"]


class TunedBranches:
    """All residual branches of a layer.

    Args:
        branches: the network's own.
        dtype: of convolutions and LSTMs; attention and statistics are in float32.
    """

    def __init__(self, branches: ResidualBranches, dtype: torch.dtype) -> None:
        self._branches = [_Branch(branch, dtype) for branch in branches.layers]

    def __call__(self, x: Tensor) -> Tensor:
        """Map rows x [R, C, 1, T], every one by itself, to the same shape."""
        for branch in self._branches:
            x = branch(x)
        return x


class _Branch:
    """One branch, and its input added to it."""

    def __init__(self, branch: nn.Module, dtype: torch.dtype) -> None:
        assert isinstance(branch, nn.Sequential)
        squeeze, squeeze_norm, _, *inner, widen, widen_norm, _, scale = branch
        assert isinstance(squeeze_norm, nn.GroupNorm)
        assert isinstance(widen_norm, nn.GroupNorm)
        assert isinstance(widen, nn.Conv1d)
        assert isinstance(scale, LayerScale)
        self._squeeze = PackedConvolution.of(squeeze, dtype)
        self._squeeze_norm = squeeze_norm
        self._inner = [_in_precision(module, dtype) for module in inner]
        self._widen = _NormalisedGate(widen, widen_norm, scale, dtype)

    def __call__(self, x: Tensor) -> Tensor:
        h = self._squeeze(x)
        rows, _, _, steps = h.shape
        # In memory [R, T, q]: one row is one group of the norm.
        h = h.permute(0, 2, 3, 1).reshape(rows, steps, -1)
        h = F.gelu(_norm_rows(self._squeeze_norm, h))
        for module, dtype in self._inner:
            h = module(h.to(dtype).transpose(1, 2)).transpose(1, 2).to(h.dtype)
        return self._widen(h).add_(x)


def _in_precision(module: nn.Module, dtype: torch.dtype) -> tuple[nn.Module, torch.dtype]:
    """An LSTM or an attention, and the type it computes in.

    Attention subtracts penalties that grow with the distance, and needs them exact.
    """
    if isinstance(module, BLSTM) and dtype != torch.float32:
        return copy.deepcopy(module).to(dtype), dtype
    return module, torch.float32


class _NormalisedGate:
    """Kernel 1, norm, GLU and the branch's gain, as one gated convolution."""

    def __init__(
        self, conv: nn.Conv1d, norm: nn.GroupNorm, scale: LayerScale, dtype: torch.dtype
    ) -> None:
        assert conv.bias is not None
        weight, bias = conv.weight.detach()[..., 0].double(), conv.bias.detach().double()
        self._channels = len(weight)
        self._eps = norm.eps
        self._weight_sum, self._bias_sum = weight.sum(0).float(), float(bias.sum())
        self._gram = (weight.T @ weight).float()
        self._weight_bias = (2 * bias @ weight).float()
        self._bias_square = float(bias @ bias)
        gain = torch.cat([scale.scale, torch.ones_like(scale.scale)]).detach().double()
        w, beta = norm.weight.detach() * gain, norm.bias.detach() * gain
        columns = [w[:, None] * weight, (w * bias)[:, None], -w[:, None]]
        if dtype != torch.float32:
            # The two factors that hold for a whole row come in two parts, so as not to be rounded.
            columns += columns[1:]
        # Channels in whole vectors of the processor's.
        unused = -sum(column.shape[1] for column in columns) % _VECTOR
        columns.append(weight.new_zeros(len(weight), unused))
        self._unused = unused
        self._gate = GatedConvolution(
            torch.cat(columns, dim=1).float()[:, :, None, None], beta.float(), dtype=dtype
        )

    def __call__(self, h: Tensor) -> Tensor:
        """Map rows h [R, T, q] to [R, C, 1, T]."""
        mean, rate = self._statistics(h.float())
        rows = torch.stack([rate, mean * rate], dim=1)
        parts = [rows.to(h.dtype)]
        if h.dtype != torch.float32:
            parts.append((rows - parts[0]).to(h.dtype))
        parts.append(h.new_zeros(len(h), self._unused))
        constant = torch.cat(parts, dim=1)[:, None].expand(-1, h.shape[1], -1)
        wide = torch.cat([(h * rate[:, None, None]).to(h.dtype), constant], dim=2)
        return self._gate(wide.transpose(1, 2)[:, :, None])

    def _statistics(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and inverse deviation of what the convolution makes of each row, [R]."""
        steps = h.shape[1]
        sums, count = h.sum(1), steps * self._channels
        mean = (sums @ self._weight_sum + steps * self._bias_sum) / count
        squares = (torch.bmm(h.transpose(1, 2), h) * self._gram).sum((1, 2))
        squares = squares + sums @ self._weight_bias + steps * self._bias_square
        variance = (squares / count - mean.square()).clamp(min=0)
        return mean, (variance + self._eps).rsqrt()


_VECTOR = 16
"""Channels that a register of the processor's holds."""


def _norm_rows(norm: nn.GroupNorm, h: Tensor) -> Tensor:
    """The norm of one group over rows h [R, T, q]."""
    shape = h.shape[1:]
    weight = norm.weight.to(h.dtype).expand(shape).contiguous()
    bias = norm.bias.to(h.dtype).expand(shape).contiguous()
    return F.layer_norm(h, shape, weight, bias, norm.eps)
