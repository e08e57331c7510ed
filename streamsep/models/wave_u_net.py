"""Wave-U-Net: a deep U-Net on the waveform that halves time and interpolates it back.

Stoller, Ewert and Dixon, "Wave-U-Net: A Multi-Scale Neural Network for End-to-End Audio Source
Separation" (2018), Figure 1 and Table 1: the stereo network for several instruments (M6), which is
the stereo voice network (M4) with one output per instrument. Twelve levels, each with 24 channels
more than the one above::

    mix ──────────────────────────────────────────────────────────(crop, cat)─ conv1 ─ tanh ─ stems
     └─ conv15 ─┬────────────────────────────────────────(crop, cat)─ conv5 ─┘
                └─ every 2nd ─ conv15 ─┬────────(crop, cat)─ conv5 ─ ×2 ─┘
                                       └─ every 2nd ─ … ─ conv15 ─ ×2 ─┘

Three things set it apart from its predecessors. No convolution is padded: a prediction uses nothing
but real neighbours, so more goes in than comes out. The way back interpolates, linearly or with a
learnt share of both neighbours (M5), where transposed convolutions would leave a pattern. And only
S − 1 stems are estimated; the last one is what they leave of the mixture, so that stems add up.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from streamsep.errors import ConfigError
from streamsep.models.network import (
    NetworkConfig,
    SeparationNetwork,
    centre_trim,
    check_least,
    part_of,
)

__all__ = ["WaveUNet", "WaveUNetConfig"]

_SLOPE = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveUNetConfig(NetworkConfig):
    """Everything that decides the shape of a `WaveUNet`. The defaults are the paper's M6.

    Attributes:
        levels: how often time is halved (L).
        filters: channels that each level has more than the one above (F_c).
        down_kernel: kernel on the way in, an odd number (f_d).
        up_kernel: kernel on the way out, an odd number (f_u).
        learned_upsampling: learn the share of both neighbours in a new sample (M5); otherwise half.
        difference: the last stem is what the others leave of the mixture; otherwise it is
            estimated, too.
    """

    sample_rate: int = 22_050
    levels: int = 12
    filters: int = 24
    down_kernel: int = 15
    up_kernel: int = 5
    learned_upsampling: bool = False
    difference: bool = True

    def __post_init__(self) -> None:
        NetworkConfig.__post_init__(self)
        check_least(self, {"levels": 1, "filters": 1, "down_kernel": 1, "up_kernel": 1})
        if not (self.down_kernel % 2 and self.up_kernel % 2):
            raise ConfigError(
                f"down_kernel and up_kernel must be odd, got {self.down_kernel} and "
                f"{self.up_kernel}"
            )
        if self.difference and len(self.sources) < 2:
            raise ConfigError(
                f"difference leaves the last of several stems, got only {self.sources[0]!r}; "
                "use difference=False"
            )


class WaveUNet(SeparationNetwork[WaveUNetConfig]):
    """Wave-U-Net as a `Separator`: stateless, [B, C, T] in, [B, S, C, T] out.

    Args:
        config: the shape of the network; weights start random.
    """

    def __init__(self, config: WaveUNetConfig | None = None) -> None:
        super().__init__(config := config or WaveUNetConfig())
        self.down = nn.ModuleList()
        self.up = nn.ModuleList()
        self.upsample = nn.ModuleList()
        width = config.audio_channels
        for level in range(1, config.levels + 1):
            inner, own = config.filters * (level + 1), config.filters * level
            self.down.append(nn.Conv1d(width, own, config.down_kernel))
            self.up.insert(0, nn.Conv1d(own + inner, own, config.up_kernel))
            self.upsample.insert(0, _Upsample(inner, learned=config.learned_upsampling))
            width = own
        self.bottleneck = nn.Conv1d(width, width + config.filters, config.down_kernel)
        stems = len(config.sources) - int(config.difference)
        self.output = nn.Conv1d(
            config.filters + config.audio_channels, stems * config.audio_channels, 1
        )

    @property
    def stride(self) -> int:
        """Samples by which a segment can move without changing how the network sees it."""
        return int(2**self.config.levels)

    @property
    def margin(self) -> int:
        """Samples on either side of a mixture for which there is no prediction."""
        wanted, given = self.valid_lengths(1)
        return (given - wanted) // 2

    @property
    def surroundings(self) -> int:
        """Samples on either side of a segment that can change its estimate."""
        # Within a stride some estimates look less far back and as much farther ahead.
        return self.margin + self.stride

    def _samples_per_step(self) -> int:
        steps = 1 + self.config.down_kernel - 1
        for _ in range(self.config.levels):
            steps = 2 * steps - 1 + self.config.down_kernel - 1
        return steps

    def valid_lengths(self, length: int) -> tuple[int, int]:
        """Lengths at which no layer leaves a sample over.

        Args:
            length: samples wanted, at least 1.

        Returns:
            The least length from `length` that can come out, and what has to go in for it.
        """
        config = self.config
        innermost = length
        for _ in range(config.levels):
            innermost = (innermost + config.up_kernel) // 2 + (innermost + config.up_kernel) % 2
        given, out = innermost + config.down_kernel - 1, innermost
        for _ in range(config.levels):
            given = 2 * given - 1 + config.down_kernel - 1
            out = 2 * out - 1 - (config.up_kernel - 1)
        return out, given

    def forward(self, mix: Tensor) -> Tensor:
        """Separate a mixture; what lies outside of it counts as silence.

        Args:
            mix: waveforms [B, C, T], any T from 1.

        Returns:
            The stems [B, S, C, T].
        """
        return self.separate_within(mix, 0, mix.shape[-1])

    def separate_within(self, mix: Tensor, start: int, length: int) -> Tensor:
        """Separate a part of a mixture, aware of what lies around it.

        Args:
            mix: waveforms [B, C, T]; silence surrounds it.
            start: the first sample to separate.
            length: samples to separate, at least 1.

        Returns:
            The stems [B, S, C, length].
        """
        _, given = self.valid_lengths(length)
        # As much on the left for every length: every length lies on the same grid.
        surrounded = part_of(mix, start - self.margin, given)
        return self.separate_valid(surrounded)[..., :length]

    def separate_valid(self, mix: Tensor) -> Tensor:
        """Separate the middle of a mixture that brings its own surroundings.

        Args:
            mix: waveforms [B, C, T], T from the second of `valid_lengths`.

        Returns:
            The stems [B, S, C, T'], T' being the first of `valid_lengths`.
        """
        x = mix
        skips = []
        for down in self.down:
            skips.append(F.leaky_relu(down(x), _SLOPE))
            x = skips[-1][..., ::2]
        x = F.leaky_relu(self.bottleneck(x), _SLOPE)
        for up, upsample in zip(self.up, self.upsample, strict=True):
            x = upsample(x)
            x = torch.cat([centre_trim(skips.pop(), x.shape[-1]), x], dim=1)
            x = F.leaky_relu(up(x), _SLOPE)
        middle = centre_trim(mix, x.shape[-1])
        estimates = torch.tanh(self.output(torch.cat([middle, x], dim=1))).to(mix.dtype)
        stems = estimates.reshape(mix.shape[0], -1, self.channels, x.shape[-1])
        if not self.config.difference:
            return stems
        rest = middle[:, None] - stems.sum(dim=1, keepdim=True)
        return torch.cat([stems, rest], dim=1)


class _Upsample(nn.Module):
    """Puts a sample between any two of x [B, C, T]: [B, C, 2T − 1].

    Source: Stoller et al. (2018), "Learned upsampling for Wave-U-Net".
    """

    def __init__(self, channels: int, *, learned: bool) -> None:
        super().__init__()
        self.share = nn.Parameter(torch.zeros(channels)) if learned else None

    def forward(self, x: Tensor) -> Tensor:
        left, right = x[..., :-1], x[..., 1:]
        share = 0.5 if self.share is None else torch.sigmoid(self.share)[:, None]
        between = share * left + (1 - share) * right
        pairs = torch.stack([left, between], dim=-1).flatten(-2)
        return torch.cat([pairs, x[..., -1:]], dim=-1)
