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
    # The picture's columns along one axis, the samples within a hop along another.
    hops = -(-n_fft // hop)
    batch, count = frames.shape[:2]
    squares = window.square()
    if missing := hops * hop - n_fft:
        frames, squares = F.pad(frames, (0, missing)), F.pad(squares, (0, missing))
    pieces, squares = frames.view(batch, count, hops, hop), squares.view(hops, hop)
    whole = count + 2 * beyond
    total = frames.new_zeros(batch, whole + hops - 1, hop)
    envelope = frames.new_zeros(whole + hops - 1, hop)
    for row in range(hops):
        total[:, row + beyond : row + beyond + count] += pieces[:, :, row]
        envelope[row : row + whole] += squares[row]
    begin, end = n_fft // 2, (whole - 1) * hop + n_fft
    heard = slice(begin, min(begin + length, end))
    waves = total.flatten(1)[:, heard] / envelope.flatten()[heard]
    silent = length - waves.shape[-1]
    return F.pad(waves, (0, silent)) if silent else waves
