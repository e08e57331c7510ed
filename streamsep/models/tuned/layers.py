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
    from collections.abc import Sequence

    from streamsep.models.hybrid_layers import DecoderLayer, EncoderLayer

__all__ = ["TunedDecoder", "TunedEncoder"]

_BLOCK_BYTES = 1 << 20
"""Of one activation of C channels, in each block of rows: some of them fit a core's own cache."""

_BLOCK_BINS = 16
"""Rows of frequency that a decoder takes at a time at the least; a few more are computed twice."""


class TunedEncoder:
    """An encoder layer.

    Args:
        layer: the network's own.
        dtype: of the convolutions.
    """

    def __init__(self, layer: EncoderLayer, dtype: torch.dtype) -> None:
        self.shape = layer.shape
        self.bare = layer.bare
        self.channels = len(as_2d(layer.conv)[1])
        self._conv = PackedConvolution.of(layer.conv, dtype)
        if layer.bare:
            return
        assert isinstance(layer.dconv, ResidualBranches)
        self._norm = layer.norm1
        self.branches = TunedBranches(layer.dconv, dtype)
        self.rewrite = _rewrite(layer.rewrite, layer.norm2, dtype)

    def __call__(
        self, x: Tensor, inject: Tensor | None = None, into: Tensor | None = None
    ) -> Tensor:
        """Map x [B, C, F, T] to F / stride bins, or to ceil(T / stride) steps.

        Args:
            x: in channels_last.
            inject: what the time branch adds after the first convolution, [B, C, 1, T].
            into: where the result shall lie, in channels_last; for layers without norms.
        """
        missing = -x.shape[-1] % self.shape.stride
        if missing and not self.shape.along_frequency:
            x = F.pad(x, (0, missing))
        if self.bare:
            return self.convolve(x)
        if isinstance(self._norm, nn.Identity) and inject is None:
            return self._finish(self.convolve(x, "gelu"), into)
        y = self.convolve(x)
        return self.finish(y if inject is None else y.add_(inject))

    def convolve(self, x: Tensor, activation: str = "none") -> Tensor:
        """The strided convolution alone, and an activation as of `PackedConvolution`."""
        return self._conv(x, activation)

    def finish(self, y: Tensor) -> Tensor:
        """All that comes after it and after what the time branch adds, [B, C, F, T]."""
        return self._finish(F.gelu(self._norm(y)))

    def _finish(self, y: Tensor, into: Tensor | None = None) -> Tensor:
        batch, channels, bins, steps = y.shape
        rows = _as_rows(y)
        # A row that has been through is needed no more.
        done = rows if into is None else _as_rows(into)
        per_block = max(1, _BLOCK_BYTES // (channels * steps * y.element_size()))
        for block, place in zip(
            torch.split(rows, per_block), torch.split(done, per_block), strict=True
        ):
            self._rewrite_into(place, self.branches(block))
        return done.permute(0, 2, 3, 1).reshape(batch, bins, steps, channels).permute(0, 3, 1, 2)

    def _rewrite_into(self, place: Tensor, rows: Tensor) -> None:
        """Rewrite rows [R, C, 1, T], of a wave some steps at a time: a row of it is long."""
        if isinstance(self.rewrite, _NormalisedRewrite):
            place.copy_(self.rewrite(rows))
            return
        per_block = max(1, _BLOCK_BYTES // (rows.shape[0] * rows.shape[1] * rows.element_size()))
        steps = torch.split(rows, per_block, dim=-1)
        for part, of_place in zip(steps, torch.split(place, per_block, dim=-1), strict=True):
            of_place.copy_(self.rewrite(part))


def _as_rows(y: Tensor) -> Tensor:
    """Rows [B·F, C, 1, T] of y [B, C, F, T]: the same memory, if that is in channels_last."""
    batch, channels, bins, steps = y.shape
    return y.permute(0, 2, 3, 1).reshape(batch * bins, 1, steps, channels).permute(0, 3, 1, 2)


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
        one_bin = layer.shape.along_frequency and layer.shape.padding == 0
        self._rewrite = (
            None if rewrite is None else _rewrite(rewrite, layer.norm1, dtype, one_bin=one_bin)
        )
        self._reach = 0 if rewrite is None else rewrite.padding[0]
        # Without norms an activation can follow each convolution at once.
        self._plain = isinstance(self._norm, nn.Identity)
        self._activation = "gelu" if self._plain and not self._last else "none"

    def __call__(
        self, x: Tensor | None, skip: Tensor | None, length: int, onto: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Decode x; as `DecoderLayer` does.

        Args:
            x: [B, C, F, T], which is overwritten; None for zeros.
            skip: of the same shape; None for a bare layer.
            length: steps to return along time, in the time branch.
            onto: what the result is added to, in place, such as the skip of the next layer.
        """
        y = skip if x is None else x if skip is None else x.add_(skip)
        assert y is not None
        pad = self._shape.padding
        row_bytes = y.shape[1] * y.shape[3] * y.element_size()
        block = max(_BLOCK_BINS, _BLOCK_BYTES // row_bytes)
        if self._plain and self._shape.along_frequency and y.shape[2] > block:
            return self._by_rows(y, block, onto), y
        if self._rewrite is not None:
            y = self._rewrite(y)
        z = self._norm(self._conv_tr(y, self._activation))
        z = z[:, :, pad : z.shape[2] - pad] if self._shape.along_frequency else z
        z = z if self._shape.along_frequency else z[..., pad : pad + length]
        z = z if self._plain or self._last else F.gelu(z)
        return (z if onto is None else onto.add_(z)), y

    def _by_rows(self, x: Tensor, block: int, onto: Tensor | None) -> Tensor:
        """The whole of a frequency layer without norms, some rows at a time.

        Run i of the output, a stride of bins, needs rows i − 1 and i of what the rewrite makes, and
        each of those the neighbours that the rewrite sees. Beyond the ends are zeros, as always.
        """
        assert self._rewrite is not None
        bins, reach, stride = x.shape[2], self._reach, self._shape.stride
        pad = self._shape.padding
        whole = onto
        for start in range(0, bins + 1, block):
            stop = min(start + block, bins + 1)
            first, last = max(0, start - 1), min(bins, stop)
            seen = max(0, first - reach)
            y = self._rewrite(x[:, :, seen : min(bins, last + reach)])
            y = y[:, :, first - seen : last - seen]
            z = self._conv_tr(y, self._activation)
            if whole is None:
                batch, channels, _, steps = z.shape
                whole = z.new_empty(batch, (bins + 1) * stride - 2 * pad, steps, channels)
                whole = whole.permute(0, 3, 1, 2)
            # Bins of the result begin a padding later than runs do.
            begin, end = max(pad, start * stride), min(stop * stride, whole.shape[2] + pad)
            runs = z[:, :, begin - first * stride : end - first * stride]
            place = whole[:, :, begin - pad : end - pad]
            place.copy_(runs) if onto is None else place.add_(runs)
        assert whole is not None, "there is a run at least"
        return whole


def _rewrite(
    conv: nn.Module | None, norm: nn.Module, dtype: torch.dtype, *, one_bin: bool = False
) -> GatedConvolution | _NormalisedRewrite:
    """A rewrite; over a single bin of frequency, whose neighbours would be padding, if so said."""
    assert conv is not None
    weight, bias, geometry = as_2d(conv)
    if one_bin:
        reach, along_time = geometry["padding"]
        weight, geometry["padding"] = weight[:, :, reach : reach + 1], (0, along_time)
    if isinstance(norm, nn.GroupNorm):
        return _NormalisedRewrite(weight, bias, geometry, norm, dtype)
    return GatedConvolution(weight, bias, padding=geometry["padding"], dtype=dtype)


class _NormalisedRewrite:
    """The rewrite of an inner layer: there is a norm between it and the GLU."""

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor,
        geometry: dict[str, Sequence[int]],
        norm: nn.GroupNorm,
        dtype: torch.dtype,
    ) -> None:
        # The largest weights of all: packing takes as much memory again twice, so they come in two.
        self._halves = [
            PackedConvolution(half.clone(), half_bias, **geometry, dtype=dtype)
            for half, half_bias in zip(weight.chunk(2), bias.chunk(2), strict=True)
        ]
        self._norm = norm

    def __call__(self, x: Tensor) -> Tensor:
        y = torch.cat([half(x) for half in self._halves], dim=1)
        return F.glu(self._norm(y), dim=1)
