"""One layer of the encoder and one of the decoder, for either branch of Hybrid Demucs.

Paper, Figures 1 and 2. The frequency branch convolves along frequency (kernel K × 1 over
[B, C, F, T]), the time branch along time (kernel K over [B, C, T]); everything else is the same::

    encoder   x ─ conv K,S ─(+ time branch)─ norm ─ GELU ─ residual branches ─ conv1 ─ norm ─ GLU
    decoder   x ─(+ skip)─ conv3 ─ norm ─ GLU ─ transposed conv K,S ─ norm ─ crop ─ GELU

The convolution before the GLU is called rewrite, by the names in published checkpoints; a network
may do without it. A decoder may have residual branches too; they come after its GLU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamsep.models.residual import ResidualBranches

__all__ = ["DecoderLayer", "EncoderLayer", "LayerShape"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerShape:
    """The geometry that an encoder layer shares with its mirror image in the decoder.

    Attributes:
        kernel: kernel size along the branch's axis.
        stride: stride along the branch's axis.
        padding: zeros on both sides along that axis, cropped again by the decoder.
        along_frequency: True in the frequency branch, False in the time branch.
        norm_groups: groups of the two GroupNorms; 0 for none.
        rewrite: False for a layer without rewrite, its norm and the GLU.
    """

    kernel: int
    stride: int
    padding: int
    along_frequency: bool
    norm_groups: int
    rewrite: bool = True

    def norm(self, channels: int) -> nn.Module:
        """The normalisation of this layer over `channels` channels."""
        return nn.GroupNorm(self.norm_groups, channels) if self.norm_groups else nn.Identity()


class EncoderLayer(nn.Module):
    """Shortens its axis by the stride and widens the channels.

    Args:
        channels_in: channels of the input.
        channels_out: channels of the output.
        shape: geometry.
        branches: the residual branches over `channels_out`, or None.
        context: neighbours on each side that the rewrite sees.
        bare: only the first convolution: the layer that hands the time branch to the other one.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        shape: LayerShape,
        *,
        branches: ResidualBranches | None,
        context: int = 0,
        bare: bool = False,
    ) -> None:
        super().__init__()
        self.shape = shape
        self.bare = bare
        if shape.along_frequency:
            self.conv: nn.Module = nn.Conv2d(
                channels_in, channels_out, (shape.kernel, 1), (shape.stride, 1), (shape.padding, 0)
            )
        else:
            self.conv = nn.Conv1d(
                channels_in, channels_out, shape.kernel, shape.stride, shape.padding
            )
        if bare:
            return
        self.norm1 = shape.norm(channels_out)
        self.rewrite: nn.Module | None = None
        if shape.rewrite:
            conv = nn.Conv2d if shape.along_frequency else nn.Conv1d
            self.rewrite = conv(channels_out, 2 * channels_out, 1 + 2 * context, padding=context)
            self.norm2 = shape.norm(2 * channels_out)
        self.dconv = branches

    def forward(self, x: Tensor, inject: Tensor | None = None) -> Tensor:
        """Encode x.

        Args:
            x: [B, C, F, T] or [B, C, T]; a time branch that follows a frequency axis of length 1
                takes [B, C, 1, T] too.
            inject: what the time branch adds after the first convolution, [B, C, T].

        Returns:
            [B, C, F / stride, T] or [B, C, ceil(T / stride)].
        """
        y = self.convolve(x, inject)
        return y if self.bare else self.finish(y, self.dconv)

    def convolve(self, x: Tensor, inject: Tensor | None = None) -> Tensor:
        """The first half: the strided convolution, and what the time branch adds."""
        if not self.shape.along_frequency:
            x = x.flatten(1, 2) if x.dim() == 4 else x
            x = F.pad(x, (0, -x.shape[-1] % self.shape.stride))
        y = torch.as_tensor(self.conv(x))
        if inject is None:
            return y
        return y + (inject[:, :, None] if y.dim() == 4 else inject)

    def finish(self, y: Tensor, branches: Callable[[Tensor], Tensor] | None) -> Tensor:
        """The second half, which looks along time by its branches alone: those given."""
        y = F.gelu(self.norm1(y))
        if branches is not None:
            y = _along_time(branches, y)
        if self.rewrite is not None:
            y = F.glu(self.norm2(self.rewrite(y)), dim=1)
        return y


class DecoderLayer(nn.Module):
    """Mirror image of `EncoderLayer`.

    Args:
        channels_in: channels of the input and of the skip connection.
        channels_out: channels of the output.
        shape: geometry of the mirrored encoder layer.
        branches: the residual branches over `channels_in`, or None.
        context: neighbours on each side that the rewrite sees.
        context_in_time_only: of these, the rewrite of a frequency branch sees only those in time.
        last: the outermost layer, which ends without an activation.
        bare: only the transposed convolution: where the time branch leaves the other one.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        shape: LayerShape,
        *,
        branches: ResidualBranches | None = None,
        context: int = 1,
        context_in_time_only: bool = False,
        last: bool = False,
        bare: bool = False,
    ) -> None:
        super().__init__()
        self.shape = shape
        self.last = last
        self.channels_in = channels_in
        if shape.along_frequency:
            self.conv_tr: nn.ConvTranspose1d | nn.ConvTranspose2d = nn.ConvTranspose2d(
                channels_in, channels_out, (shape.kernel, 1), (shape.stride, 1)
            )
        else:
            self.conv_tr = nn.ConvTranspose1d(channels_in, channels_out, shape.kernel, shape.stride)
        self.norm2 = shape.norm(channels_out)
        if bare:
            return
        self.rewrite: nn.Module | None = None
        if shape.rewrite:
            wide = 2 * channels_in
            if shape.along_frequency:
                across = 0 if context_in_time_only else context
                kernel = (1 + 2 * across, 1 + 2 * context)
                self.rewrite = nn.Conv2d(channels_in, wide, kernel, padding=(across, context))
            else:
                self.rewrite = nn.Conv1d(channels_in, wide, 1 + 2 * context, padding=context)
            self.norm1 = shape.norm(wide)
        self.dconv = branches

    def forward(self, x: Tensor, skip: Tensor | None, length: int) -> tuple[Tensor, Tensor]:
        """Decode x.

        Args:
            x: [B, C, F, T], or [B, C, T] which the frequency branch takes as F = 1.
            skip: the encoder's output at this depth, of x's shape; None for a bare layer.
            length: steps to return along time, in the time branch.

        Returns:
            The layer's output, and its input to the transposed convolution, from which the time
            branch departs where the two branches part.
        """
        if self.shape.along_frequency and x.dim() == 3:
            x = x.view(x.shape[0], self.channels_in, -1, x.shape[-1])
        y = x if skip is None else self._combine(x + skip)
        z = self.norm2(self.conv_tr(y))
        pad = self.shape.padding
        if self.shape.along_frequency:
            z = z[:, :, pad : z.shape[2] - pad]
        else:
            z = z[..., pad : pad + length]
        return (z if self.last else F.gelu(z)), y

    def _combine(self, y: Tensor) -> Tensor:
        if self.rewrite is not None:
            y = F.glu(self.norm1(self.rewrite(y)), dim=1)
        if self.dconv is not None:
            y = _along_time(self.dconv, y)
        return y


def _along_time(branches: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Run branches that know only time over x [B, C, T] or, every bin by itself, [B, C, F, T]."""
    if x.dim() == 3:
        return torch.as_tensor(branches(x))
    batch, channels, bins, frames = x.shape
    y = branches(x.permute(0, 2, 1, 3).reshape(batch * bins, channels, frames))
    return torch.as_tensor(y.view(batch, bins, channels, frames).permute(0, 2, 1, 3))
