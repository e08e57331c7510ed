"""Layers with weights of their own for each band of frequencies.

Paper, section "Frequency-wise convolutions": music is not the same an octave higher. The outermost
layers of the frequency branch can be cut into bands, each a layer by itself, without edges in the
signal: if all had the same weights they would compute what one layer over all bins computes.

A band of the encoder owns bins of the *output*. Its input reaches over its neighbours' by what the
kernel is longer than the stride (here kernel 8, stride 4, padding 2)::

    input   pp0123456789...
    bin 0   [──────]
    bin 1       [──────]         the last bin of the first band
    bin 2           [──────]     the first bin of the second: both see 6 7 8 9

A band of the decoder owns bins of the *input*, and its output overlaps its neighbours' in the same
way; there they are added, with the bias counted once.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streamsep.models.hybrid_layers import DecoderLayer, EncoderLayer, LayerShape

__all__ = ["BandedDecoder", "BandedEncoder"]


class BandedEncoder(nn.Module):
    """An encoder layer of several bands; the parts of an `EncoderLayer` per band.

    Args:
        make: makes a layer of the geometry it is given.
        shape: geometry of the whole, with a kernel of twice the stride.
        bins: frequency bins F of the input.
        edges: shares of the frequency axis where the bands meet.

    Raises:
        ConfigError: a band would be empty.
    """

    def __init__(
        self,
        make: Callable[[LayerShape], EncoderLayer],
        shape: LayerShape,
        bins: int,
        edges: Sequence[float],
    ) -> None:
        super().__init__()
        self.shape = shape
        self.marks = _encoder_marks(shape, bins, edges)
        self.layers = nn.ModuleList(make(replace(shape, padding=0)) for _ in pairwise(self.marks))

    def forward(self, x: Tensor, inject: Tensor | None = None) -> Tensor:
        """Encode x [B, C, F, T] to [B, C, F / stride, T]; nothing may be injected here."""
        assert inject is None, "the branches meet further in than any band"
        kernel, stride, padding = self.shape.kernel, self.shape.stride, self.shape.padding
        x = F.pad(x, (0, 0, padding, padding))
        bands = [
            layer(x[:, :, start * stride : (stop - 1) * stride + kernel])
            for layer, (start, stop) in zip(self.layers, pairwise(self.marks), strict=True)
        ]
        return torch.cat(bands, dim=2)


class BandedDecoder(nn.Module):
    """Mirror image of `BandedEncoder`.

    Args:
        make: makes a layer of the geometry it is given that ends without an activation.
        shape: geometry of the whole, with a kernel of twice the stride.
        bins: frequency bins F of the input.
        edges: shares of the frequency axis where the bands meet.
        last: the outermost layer, which ends without an activation.

    Raises:
        ConfigError: a band would be empty.
    """

    def __init__(
        self,
        make: Callable[[LayerShape], DecoderLayer],
        shape: LayerShape,
        bins: int,
        edges: Sequence[float],
        *,
        last: bool,
    ) -> None:
        super().__init__()
        self.shape = shape
        self.last = last
        self.marks = [0, *(round(bins * edge) for edge in edges), bins]
        _refuse_empty_bands(self.marks)
        self.layers = nn.ModuleList(make(replace(shape, padding=0)) for _ in pairwise(self.marks))

    def forward(self, x: Tensor, skip: Tensor, length: int) -> tuple[Tensor, None]:
        """Decode x [B, C, F, T] and a skip of its shape to [B, C, F · stride, T].

        Args:
            x: the output of the layer before.
            skip: the encoder's output at this depth.
            length: as in `DecoderLayer`, which has use for it in the time branch.

        Returns:
            The output, and None: no branch departs from here.
        """
        stride, padding = self.shape.stride, self.shape.padding
        done: list[Tensor] = []
        overlap: Tensor | None = None
        layers = cast("list[DecoderLayer]", list(self.layers))
        for layer, (start, stop) in zip(layers, pairwise(self.marks), strict=True):
            z, _ = layer(x[:, :, start:stop], skip[:, :, start:stop], length)
            if overlap is not None:
                bias = layer.conv_tr.bias
                assert bias is not None
                done.append(overlap + (z[:, :, :stride] - bias.to(z.dtype)[:, None, None]))
                z = z[:, :, stride:]
            done.append(z[:, :, :-stride])
            overlap = z[:, :, -stride:]
        assert overlap is not None
        z = torch.cat([*done, overlap], dim=2)
        z = z[:, :, padding : z.shape[2] - padding]
        return (z if self.last else F.gelu(z)), None


def _encoder_marks(shape: LayerShape, bins: int, edges: Sequence[float]) -> list[int]:
    """Where the bands of an encoder begin among the bins of its output, and where the last ends."""
    marks = [0]
    for edge in edges:
        # The output bin whose kernel ends nearest to the edge, counted from the mark before: the
        # rounding of halves depends on it.
        exact = (round(bins * edge) + shape.padding - shape.kernel) / shape.stride + 1
        marks.append(marks[-1] + round(exact - marks[-1]))
    marks.append(bins // shape.stride)
    _refuse_empty_bands(marks)
    return marks


def _refuse_empty_bands(marks: Sequence[int]) -> None:
    if any(stop <= start for start, stop in pairwise(marks)):
        raise ConfigError(
            f"a band of frequencies would be empty, they begin at bins {', '.join(map(str, marks))}"
            "; expected band_edges further from each other and from the ends, or fewer band_layers"
        )
