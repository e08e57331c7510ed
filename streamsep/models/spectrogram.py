"""The spectrogram whose frames line up with the time branch.

A strided convolution with kernel K and stride K/4 that pads K/4 on each side (here 3/8 K on the
waveform, see below) gives exactly length/stride steps. The usual centred STFT gives one more. So
the waveform is padded by reflection until frame j covers the samples around j·hop + hop/2, and the
frames then fall on the same grid as the innermost layer of the time branch::

    waveform           |0      1024    2048 ...
    padded      1536   |                          1536 + rest
    frame 0   [────────4096────────]                          centre at 512
    frame 1            [────────4096────────]                 centre at 1536

Paper, section "Hybrid Demucs: padding".
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["aligned_istft", "aligned_stft"]


def aligned_stft(x: Tensor, n_fft: int) -> Tensor:
    """Short-time Fourier transform with one frame for every n_fft/4 samples begun.

    Args:
        x: waveforms [..., T], T at least 1.
        n_fft: window length, a multiple of 8; the hop is a quarter of it.

    Returns:
        Complex [..., F, N] with F = n_fft/2 (the Nyquist bin is dropped) and N = ceil(T / hop),
        scaled to keep energy (divided by √n_fft).
    """
    hop = n_fft // 4
    length = x.shape[-1]
    frames = math.ceil(length / hop)
    side = hop // 2 * 3
    flat = _reflect(x.reshape(-1, length), side, side + frames * hop - length)
    window = torch.hann_window(n_fft, device=x.device, dtype=x.dtype)
    z = torch.stft(
        flat, n_fft, hop, window=window, center=False, normalized=True, return_complex=True
    )
    return z[:, :-1].reshape(*x.shape[:-1], n_fft // 2, frames)


def aligned_istft(z: Tensor, length: int) -> Tensor:
    """Inverse of `aligned_stft`.

    Args:
        z: complex [..., F, N].
        length: samples T to return, at most N times the hop.

    Returns:
        Waveforms [..., T].
    """
    bins, frames = z.shape[-2:]
    n_fft = 2 * bins
    hop = n_fft // 4
    side = hop // 2 * 3
    # One zero bin for Nyquist; two zero frames on each side, which the centred inverse expects
    # before and after the signal and which keep its window envelope away from zero.
    flat = F.pad(z.reshape(-1, bins, frames), (2, 2, 0, 1))
    window = torch.hann_window(n_fft, device=z.device, dtype=z.real.dtype)
    x = torch.istft(
        flat, n_fft, hop, window=window, normalized=True, length=frames * hop + 2 * side
    )
    return x[:, side : side + length].reshape(*z.shape[:-2], length)


def _reflect(x: Tensor, left: int, right: int) -> Tensor:
    """Pad x [B, T] by reflection, first with zeros on the right where x is too short to mirror."""
    missing = max(left, right) + 1 - x.shape[-1]
    if missing > 0:
        zeros_right = min(right, missing)
        zeros_left = missing - zeros_right
        x = F.pad(x, (zeros_left, zeros_right))
        left, right = left - zeros_left, right - zeros_right
    return F.pad(x, (left, right), mode="reflect")
