r"""The inverse of a short-time Fourier transform, on whatever device the spectrum lies.

`torch.istft` asks whether the window's envelope is zero somewhere, and waits for the answer. A GPU
then stands still, and a CUDA graph, in which nothing may be waited for, cannot be recorded at all;
Apple's GPU lacks one of its steps altogether. The windows here are fixed and their envelope is
known, so elsewhere than on the processor the frames are simply added up. A window is a few hops
long; the same hop of every frame makes one row::

    frame 0   [a0 a1 a2 a3]
    frame 1      [b0 b1 b2 b3]                    a0  b0  c0
    frame 2         [c0 c1 c2 c3]           +         a1  b1  c1
                                            +             a2  b2  c2
              └──────── sum ────────┘       +                 a3  b3  c3
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["add_frames_up", "inverse_stft"]


def inverse_stft(
    z: Tensor, window: Tensor, hop: int, length: int, *, normalized: bool = False
) -> Tensor:
    """Transform a spectrum back, as `torch.istft` does for centred frames.

    Args:
        z: complex [B, F, N] with F = n_fft/2 + 1.
        window: [n_fft].
        hop: samples from one frame to the next.
        length: T, samples to return, from the middle of the first frame on.
        normalized: the spectrum was divided by √n_fft.

    Returns:
        Waveforms [B, T], zero where no frame reaches.
    """
    if z.device.type != "cpu":
        return add_frames_up(z, window, hop, length, normalized=normalized)
    n_fft = window.shape[-1]
    return torch.istft(z, n_fft, hop, window=window, normalized=normalized, length=length)


def add_frames_up(
    z: Tensor, window: Tensor, hop: int, length: int, *, normalized: bool = False
) -> Tensor:
    """The same by the picture above: it waits for nothing."""
    n_fft = window.shape[-1]
    norm = "ortho" if normalized else "backward"
    frames = torch.fft.irfft(z.transpose(1, 2), n=n_fft, norm=norm) * window
    # The picture's columns along one axis, the samples within a hop along another.
    hops = -(-n_fft // hop)
    batch, count = frames.shape[:2]
    missing = (0, hops * hop - n_fft)
    pieces = F.pad(frames, missing).reshape(batch, count, hops, hop)
    squares = F.pad(window.square(), missing).view(hops, hop)
    total = frames.new_zeros(batch, count + hops - 1, hop)
    envelope = frames.new_zeros(count + hops - 1, hop)
    for row in range(hops):
        total[:, row : row + count] += pieces[:, :, row]
        envelope[row : row + count] += squares[row]
    begin, end = n_fft // 2, (count - 1) * hop + n_fft
    heard = slice(begin, min(begin + length, end))
    waves = total.flatten(1)[:, heard] / envelope.flatten()[heard]
    return F.pad(waves, (0, length - waves.shape[-1]))
