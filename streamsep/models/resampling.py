r"""Changing the sample rate inside a network, by windowed sinc interpolation.

Demucs v2 and v3 work at twice the sample rate of the audio. The filters are part of what their
weights have learnt, so they are fixed here to the last coefficient and independent of the
resampler of the streams. Between the samples x[i] the signal is taken to be

    x(t) = Σ x[i] · h(i − t),   h(u) = sinc(r·u) · cos²(π·r·u / 2Z)   for |r·u| < Z = 24

with r = 0.945 of the lower of the two rates, so that the cut-off lies a little below its Nyquist
frequency. The output positions t repeat their place between the samples every `new` outputs; each
place has its own filter, scaled to pass a constant unchanged. Beyond its ends the signal keeps its
last value.

Source: Smith, "Digital Audio Resampling Home Page" (2002), section "Theory of Operation"; the
constants are those of the package julius, with which the published weights were trained.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["SincResampler"]

ZEROS = 24
"""Zero crossings of the filter on each side."""

ROLL_OFF = 0.945
"""Cut-off as a share of the lower Nyquist frequency."""


class SincResampler(nn.Module):
    """Resamples by the ratio of two small whole numbers. It has nothing to learn or to save.

    Args:
        old: the rate that goes in, in any unit.
        new: the rate that comes out, in the same unit; without a common divisor with `old`.
    """

    filters: Tensor

    def __init__(self, old: int, new: int) -> None:
        super().__init__()
        assert math.gcd(old, new) == 1, (old, new)
        self.old, self.new = old, new
        self.reach = math.ceil(ZEROS * old / (min(old, new) * ROLL_OFF))
        self.register_buffer("filters", self._make_filters(), persistent=False)

    def _make_filters(self) -> Tensor:
        """One filter for each place of an output between the samples, [new, 1, taps]."""
        # Single precision, and operations in this order: that gives the filters of the published
        # networks bit for bit. Where no norms hold it down, a difference in the last bit of a
        # filter comes out of the network a hundred times as large.
        taps = torch.arange(-self.reach, self.reach + self.old, dtype=torch.float32)
        places = torch.arange(self.new, dtype=torch.float32)[:, None] / -self.new
        u = (places + taps / self.old) * (min(self.old, self.new) * ROLL_OFF)
        u = u.clamp(-ZEROS, ZEROS) * math.pi
        sinc = torch.where(u == 0, torch.ones_like(u), u.sin() / u)
        filters = sinc * torch.cos(u / ZEROS / 2) ** 2
        return torch.stack([place / place.sum() for place in filters])[:, None]

    def forward(self, x: Tensor) -> Tensor:
        """Resample.

        Args:
            x: [..., T], T from 1.

        Returns:
            [..., ⌊T · new / old⌋].
        """
        length = x.shape[-1]
        # In the filters' own precision: bfloat16 would keep no more than 8 bits of a sample.
        flat = x.reshape(-1, 1, length).to(self.filters.dtype)
        flat = F.pad(flat, (self.reach, self.reach + self.old), mode="replicate")
        with torch.autocast(x.device.type, enabled=False):
            places = F.conv1d(flat, self.filters, stride=self.old)
        y = places.transpose(1, 2).reshape(*x.shape[:-1], -1)
        return y[..., : length * self.new // self.old]
