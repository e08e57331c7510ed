r"""The inverse of a short-time Fourier transform, on whatever device the spectrum lies.

`torch.istft` asks whether the window's envelope is zero somewhere, and waits for the answer. A GPU
then stands still, and a CUDA graph, in which nothing may be waited for, cannot be recorded at all;
Apple's GPU lacks one of its steps altogether, and on a processor that step is slow. The windows
here are fixed and their envelope is known, so the frames are simply added up. A window is a few
hops long; the same hop of every frame makes one row::

    frame 0   [a0 a1 a2 a3]
    frame 1      [b0 b1 b2 b3]                    a0  b0  c0
    frame 2         [c0 c1 c2 c3]           +         a1  b1  c1
                                            +             a2  b2  c2
              └──────── sum ────────┘       +                 a3  b3  c3
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["inverse_stft"]


def inverse_stft(
    z: Tensor,
    window: Tensor,
    hop: int,
    length: int,
    *,
    normalized: bool = False,
    beyond: int = 0,
) -> Tensor:
    """Transform a spectrum back, as `torch.istft` does for centred frames.

    Args:
        z: complex [B, F, N] with F = n_fft/2 + 1.
        window: [n_fft].
        hop: samples from one frame to the next.
        length: T, samples to return, from the middle of the first frame on.
        normalized: the spectrum was divided by √n_fft.
        beyond: frames of zeros on each side, the first of which counts as the first frame.

    Returns:
        Waveforms [B, T], zero where no frame reaches.
    """
    n_fft = window.shape[-1]
    norm = "ortho" if normalized else "backward"
    frames = torch.fft.irfft(z.transpose(1, 2), n=n_fft, norm=norm).mul_(window)
    squares = window.square().expand(1, frames.shape[1] + 2 * beyond, n_fft)
    total = _sum(frames, hop, beyond)
    envelope = _sum(squares, hop, 0)[0]
    whole = squares.shape[1]
    begin, end = n_fft // 2, (whole - 1) * hop + n_fft
    heard = slice(begin, min(begin + length, end))
    waves = total[:, heard] / envelope[heard]
    silent = length - waves.shape[-1]
    return F.pad(waves, (0, silent)) if silent else waves


def _sum(frames: Tensor, hop: int, beyond: int) -> Tensor:
    """The sum of frames [B, N, n_fft] along time, between `beyond` frames of zeros on each side."""
    return torch.as_tensor(_Sum.apply(frames, hop, beyond))  # type: ignore[no-untyped-call]


class _Sum(torch.autograd.Function):
    """What `_sum` returns, and its gradient.

    That is the gradient of the sum, cut into frames: one pass over memory, where autograd
    by itself would go over all of it for every row of the picture.
    """

    @staticmethod
    def forward(frames: Tensor, hop: int, beyond: int) -> Tensor:
        batch, count, n_fft = frames.shape
        # The picture's columns along one axis, the samples within a hop along another.
        hops = -(-n_fft // hop)
        if missing := hops * hop - n_fft:
            frames = F.pad(frames, (0, missing))
        pieces = frames.reshape(batch, count, hops, hop)
        total = frames.new_zeros(batch, count + 2 * beyond + hops - 1, hop)
        for row in range(hops):
            first = row + beyond
            total[:, first : first + count] += pieces[:, :, row]
        return total.flatten(1)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int, int], output: Tensor) -> None:
        frames, ctx.hop, ctx.beyond = inputs
        ctx.count, ctx.n_fft = frames.shape[1:]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        frames = gradient.unfold(1, ctx.n_fft, ctx.hop)
        return frames[:, ctx.beyond : ctx.beyond + ctx.count], None, None
