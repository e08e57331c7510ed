"""Spectrograms whose frames line up with the time branch, and the plain one of no time branch.

A strided convolution with kernel K and stride S that pads (K − S)/2 on each side gives exactly
length/S steps. The usual centred STFT gives one more. So the waveform is padded by reflection until
frame j covers the samples around j·hop + hop/2, and the frames then fall on the same grid as the
innermost layer of the time branch::

    waveform           |0      1024    2048 ...
    padded      1536   |                          1536 + rest
    frame 0   [────────4096────────]                          centre at 512
    frame 1            [────────4096────────]                 centre at 1536

Paper, section "Padding for easy alignment". All three are scaled to keep energy (divided by √n_fft)
and drop the Nyquist bin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from streamsep.audio.inverse_stft import inverse_stft

if TYPE_CHECKING:
    from streamsep.models.hybrid_config import HybridDemucsConfig

__all__ = [
    "AlignedSpectrogram",
    "CentredSpectrogram",
    "OldAlignedSpectrogram",
    "Spectrogram",
    "spectrogram_of",
]


class Spectrogram(Protocol):
    """A short-time Fourier transform with a hop of a quarter window, and its inverse."""

    def analyse(self, x: Tensor) -> Tensor:
        """Waveforms [..., T], T from 1, to complex [..., F, N] with F = n_fft/2."""

    def synthesise(self, z: Tensor, length: int) -> Tensor:
        """Complex [..., F, N] back to waveforms [..., length]; length as it went in."""


@dataclass(frozen=True, slots=True)
class AlignedSpectrogram:
    """One frame for every hop begun: N = ceil(T / hop).

    Attributes:
        n_fft: window in samples, a multiple of 8.
    """

    n_fft: int

    def analyse(self, x: Tensor) -> Tensor:
        """As in `Spectrogram`."""
        hop = self.n_fft // 4
        length = x.shape[-1]
        right = math.ceil(length / hop) * hop - length
        padded = self._extend(x.reshape(-1, length), self._side, self._side + right)
        z = _forward(padded, self.n_fft)
        return z.reshape(*x.shape[:-1], *z.shape[1:])

    def synthesise(self, z: Tensor, length: int) -> Tensor:
        """As in `Spectrogram`."""
        bins, frames = z.shape[-2:]
        # Two zero frames on each side, which the centred inverse expects before and after the
        # signal and which keep its window envelope away from zero.
        flat = z.reshape(-1, bins, frames)
        padded = _inverse(flat, frames * (self.n_fft // 4) + 2 * self._side, beyond=2)
        return padded[:, self._start : self._start + length].reshape(*z.shape[:-2], length)

    @property
    def _side(self) -> int:
        """Samples that a window reaches beyond the hop in its middle."""
        return self.n_fft // 8 * 3

    @property
    def _start(self) -> int:
        """Where in the padded waveform the output begins."""
        return self._side

    def _extend(self, x: Tensor, left: int, right: int) -> Tensor:
        """Pad x [B, T]."""
        return _reflect(x, left, right)


class OldAlignedSpectrogram(AlignedSpectrogram):
    """The padding of some networks of the MDX challenge: zeros, and never cropped on the way back.

    What comes out of the inverse is therefore late by 3/8 of a window against the time branch, and
    the end is missing. These networks have learnt to live with it.
    """

    __slots__ = ()

    @property
    def _start(self) -> int:
        return 0

    def _extend(self, x: Tensor, left: int, right: int) -> Tensor:
        return F.pad(x, (left, right))


@dataclass(frozen=True, slots=True)
class CentredSpectrogram:
    """The usual one, frame j centred at sample j·hop: N = 1 + floor(T / hop).

    Attributes:
        n_fft: window in samples, a multiple of 8.
    """

    n_fft: int

    def analyse(self, x: Tensor) -> Tensor:
        """As in `Spectrogram`."""
        half = self.n_fft // 2
        padded = _reflect(x.reshape(-1, x.shape[-1]), half, half)
        z = _forward(padded, self.n_fft)
        return z.reshape(*x.shape[:-1], *z.shape[1:])

    def synthesise(self, z: Tensor, length: int) -> Tensor:
        """As in `Spectrogram`."""
        return _inverse(z.reshape(-1, *z.shape[-2:]), length).reshape(*z.shape[:-2], length)


def spectrogram_of(config: HybridDemucsConfig) -> Spectrogram:
    """The spectrogram that a configuration asks for."""
    if not config.hybrid:
        return CentredSpectrogram(config.n_fft)
    if config.old_padding:
        return OldAlignedSpectrogram(config.n_fft)
    return AlignedSpectrogram(config.n_fft)


def _forward(x: Tensor, n_fft: int) -> Tensor:
    """Transform padded waveforms [B, T] to [B, F, N], without the Nyquist bin."""
    window = torch.hann_window(n_fft, device=x.device, dtype=x.dtype)
    z = torch.stft(
        x, n_fft, n_fft // 4, window=window, center=False, normalized=True, return_complex=True
    )
    return z[:, :-1]


def _inverse(z: Tensor, length: int, *, beyond: int = 0) -> Tensor:
    """Transform [B, F, N] to waveforms [B, length] that begin in the first frame's middle.

    Args:
        z: without the Nyquist bin, which is zero.
        length: of the waveforms.
        beyond: frames of zeros on each side, the first of which counts as the first frame.
    """
    batch, bins, frames = z.shape
    n_fft = 2 * bins
    # Frame by frame, as the inverse takes it: one copy, where padding would make three.
    whole = z.new_zeros(batch, frames, bins + 1)
    whole[..., :-1] = z.transpose(1, 2)
    window = torch.hann_window(n_fft, device=z.device, dtype=z.real.dtype)
    return inverse_stft(
        whole.transpose(1, 2), window, n_fft // 4, length, normalized=True, beyond=beyond
    )


def _reflect(x: Tensor, left: int, right: int) -> Tensor:
    """Pad x [B, T] by reflection, first with zeros on the right where x is too short to mirror."""
    missing = max(left, right) + 1 - x.shape[-1]
    if missing > 0:
        zeros_right = min(right, missing)
        zeros_left = missing - zeros_right
        x = F.pad(x, (zeros_left, zeros_right))
        left, right = left - zeros_left, right - zeros_right
    return F.pad(x, (left, right), mode="reflect")
