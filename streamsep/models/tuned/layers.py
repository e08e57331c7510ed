"""One layer of the encoder and one of the decoder, as in `hybrid_layers.py`, for the processor.

Everything is [B, C, F, T] in channels_last, the time branch with F = 1. Branches and rewrite of a
frequency layer look along time alone, so an encoder takes a few rows of frequency through all of
them before the next few; a decoder does likewise, though its rows have neighbours. What lies
between the convolutions then stays in the processor's cache, and takes no memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from streamsep.models.residual import ResidualBranches
from streamsep.models.tuned.branches import TunedBranches
from streamsep.models.tuned.packed import (
    GatedConvolution,
    PackedConvolution,
    PackedTransposedConvolution,
    as_2d,
)

if TYPE_CHECKING:
    from streamsep.models.hybrid_layers import DecoderLayer, EncoderLayer

__all__ = ["TunedDecoder", "TunedEncoder"]

_BLOCK_BYTES = 1 << 20
"""Of one activation of C channels, in each block of rows: some of them fit a core's own cache."""

_BLOCK_BINS = 64
"""Rows of frequency that a decoder takes at a time; a few more at the edges are computed twice."""


class TunedEncoder:
    """An encoder layer.

    Args:
        layer: the network's own.
        dtype: of the convolutions.
    """

    def __init__(self, layer: EncoderLayer, dtype: torch.dtype) -> None:
        self._along_frequency = layer.shape.along_frequency
        self._stride = layer.shape.stride
        self._bare = layer.bare
        self._conv = PackedConvolution.of(layer.conv, dtype)
        if layer.bare:
            return
        assert isinstance(layer.dconv, ResidualBranches)
        self._norm = layer.norm1
        self._branches = TunedBranches(layer.dconv, dtype)
        self._rewrite = _rewrite(layer.rewrite, layer.norm2, dtype)

    def __call__(self, x: Tensor, inject: Tensor | None = None) -> Tensor:
        """Map x [B, C, F, T] to F / stride bins, or to ceil(T / stride) steps.

        Args:
            x: in channels_last.
            inject: what the time branch adds after the first convolution, [B, C, 1, T].
        """
        missing = -x.shape[-1] % self._stride
        if missing and not self._along_frequency:
            x = F.pad(x, (0, missing))
        if self._bare:
            return self._conv(x)
        if isinstance(self._norm, nn.Identity) and inject is None:
            y = self._conv(x, "gelu")
        else:
            y = self._conv(x) if inject is None else self._conv(x).add_(inject)
            y = F.gelu(self._norm(y))
        return self._finish(y)

    def _finish(self, y: Tensor) -> Tensor:
        batch, channels, bins, steps = y.shape
        rows = y.permute(0, 2, 3, 1).reshape(batch * bins, 1, steps, channels).permute(0, 3, 1, 2)
        per_block = max(1, _BLOCK_BYTES // (channels * steps * y.element_size()))
        for block in torch.split(rows, per_block):
            # A row that has been through is needed no more.
            block.copy_(self._rewrite(self._branches(block)))
        return rows.permute(0, 2, 3, 1).reshape(batch, bins, steps, channels).permute(0, 3, 1, 2)


class TunedDecoder:
    """A decoder layer.

    Args:
        layer: the network's own.
        dtype: of the convolutions.
    """

    def __init__(self, layer: DecoderLayer, dtype: torch.dtype) -> None:
        self._shape = layer.shape
        self._last = layer.last
        self._norm = layer.norm2
        self._conv_tr = PackedTransposedConvolution(layer.conv_tr, dtype)
        # A bare layer has no rewrite.
        rewrite = getattr(layer, "rewrite", None)
        self._rewrite = None if rewrite is None else _rewrite(rewrite, layer.norm1, dtype)
        self._reach = 0 if rewrite is None else rewrite.padding[0]
        # Without norms an activation can follow each convolution at once.
        self._plain = isinstance(self._norm, nn.Identity)
        self._activation = "gelu" if self._plain and not self._last else "none"

    def __call__(self, x: Tensor | None, skip: Tensor | None, length: int) -> tuple[Tensor, Tensor]:
        """Decode x; as `DecoderLayer` does.

        Args:
            x: [B, C, F, T], which is overwritten; None for zeros.
            skip: of the same shape; None for a bare layer.
            length: steps to return along time, in the time branch.
        """
        y = skip if x is None else x if skip is None else x.add_(skip)
        assert y is not None
        pad = self._shape.padding
        if self._plain and self._shape.along_frequency and y.shape[2] > _BLOCK_BINS:
            z = self._by_rows(y)
            return z[:, :, pad : z.shape[2] - pad], y
        if self._rewrite is not None:
            y = self._rewrite(y)
        z = self._norm(self._conv_tr(y, self._activation))
        z = z[:, :, pad : z.shape[2] - pad] if self._shape.along_frequency else z
        z = z if self._shape.along_frequency else z[..., pad : pad + length]
        return (z if self._plain or self._last else F.gelu(z)), y

    def _by_rows(self, x: Tensor) -> Tensor:
        """The whole of a frequency layer without norms, some rows at a time.

        Run i of the output, a stride of bins, needs rows i − 1 and i of what the rewrite makes, and
        each of those the neighbours that the rewrite sees. Beyond the ends are zeros, as always.
        """
        assert self._rewrite is not None
        bins, reach, stride = x.shape[2], self._reach, self._shape.stride
        whole: Tensor | None = None
        for start in range(0, bins + 1, _BLOCK_BINS):
            stop = min(start + _BLOCK_BINS, bins + 1)
            first, last = max(0, start - 1), min(bins, stop)
            seen = max(0, first - reach)
            y = self._rewrite(x[:, :, seen : min(bins, last + reach)])
            y = y[:, :, first - seen : last - seen]
            z = self._conv_tr(y, self._activation)
            if whole is None:
                batch, channels, _, steps = z.shape
                whole = z.new_empty(batch, (bins + 1) * stride, steps, channels)
                whole = whole.permute(0, 3, 1, 2)
            runs = z[:, :, (start - first) * stride : (stop - first) * stride]
            whole[:, :, start * stride : stop * stride] = runs
        assert whole is not None, "there is a run at least"
        return whole


def _rewrite(
    conv: nn.Module | None, norm: nn.Module, dtype: torch.dtype
) -> GatedConvolution | _NormalisedRewrite:
    assert conv is not None
    if isinstance(norm, nn.GroupNorm):
        return _NormalisedRewrite(conv, norm, dtype)
    weight, bias, geometry = as_2d(conv)
    return GatedConvolution(weight, bias, padding=geometry["padding"], dtype=dtype)


class _NormalisedRewrite:
    """The rewrite of an inner layer: there is a norm between it and the GLU."""

    def __init__(self, conv: nn.Module, norm: nn.GroupNorm, dtype: torch.dtype) -> None:
        self._conv = PackedConvolution.of(conv, dtype)
        self._norm = norm

    def __call__(self, x: Tensor) -> Tensor:
        return F.glu(self._norm(self._conv(x)), dim=1)
