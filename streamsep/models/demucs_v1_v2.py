"""Demucs as first published (v1), and as its authors later released it (v2).

Défossez et al., "Music Source Separation in the Waveform Domain", Figure 1. A U-Net on the
waveform: six layers shorten time by 4 and double the channels, a bidirectional LSTM looks over the
whole segment, and six layers lead back, each helped by the encoder layer of its own length::

    mix [C, T] ─ E0 ┬────────────────────────────────────(+)─ D0 ─ stems [S·C, T]
                    └─ E1 ┬───────────────────────(+)─ D1 ┘
                          └─ … ─ E5 ┬────────(+)─ D5 ─ … ┘
                                    └─ LSTM ──┘

    encoder   conv K,S ─ ReLU ─ conv1 ─ GLU
    decoder   conv3 ─ GLU ─ transposed conv K,S ─ ReLU (not at the end)

No convolution is padded. A decoder layer's conv3 therefore loses a step at either end, its skip is
trimmed to match, and the network returns the middle of what it got. A mixture is completed with
zeros on both sides to a `valid_length`, from which as much comes back as was asked for and at
which no convolution leaves samples over. Positions in the `Sequential`s are those of published
weights.

v1 can also be built the way of Wave-U-Net ("upsample-convolution instead of transposed" in the
paper's Table 2). v2 works at twice the sample rate of the audio. v3, whose convolutions are padded,
is `demucs_time`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from streamsep.errors import ConfigError
from streamsep.models.initialisation import rescale_convolutions
from streamsep.models.network import (
    NetworkConfig,
    SeparationNetwork,
    centre_trim,
    check_least,
    part_of,
)
from streamsep.models.resampling import SincResampler
from streamsep.models.residual import BLSTM

__all__ = ["DemucsV1", "DemucsV1Config", "DemucsV2", "DemucsV2Config", "UnpaddedConfig"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpaddedConfig(NetworkConfig):
    """What v1 and v2 have in common. The defaults are the paper's.

    Attributes:
        hidden: channels of the outermost layer.
        growth: factor by which channels grow from layer to layer, rounded down.
        depth: number of layers.
        kernel_size: kernel of the convolutions that change the length.
        stride: factor by which a layer shortens time.
        context: neighbours on each side that a decoder layer's first convolution sees.
        rewrite: begin decoder layers with that convolution and end encoder layers with a 1 × 1 one.
        glu: gated linear units after these two; otherwise ReLU.
        lstm_layers: layers of the LSTM in the middle; 0 for none.
        rescale: reference for the initial scale of the convolutions; 0 to leave them alone.
    """

    hidden: int = 64
    growth: float = 2.0
    depth: int = 6
    kernel_size: int = 8
    stride: int = 4
    context: int = 1
    rewrite: bool = True
    glu: bool = True
    lstm_layers: int = 2
    rescale: float = 0.1

    def __post_init__(self) -> None:
        NetworkConfig.__post_init__(self)
        least = {"hidden": 1, "growth": 1, "depth": 1, "stride": 2, "context": 0}
        check_least(self, {**least, "lstm_layers": 0, "rescale": 0})
        if self.kernel_size < self.stride:
            raise ConfigError(
                f"kernel_size must be at least the stride {self.stride}, or samples would be "
                f"skipped, got {self.kernel_size}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class DemucsV1Config(UnpaddedConfig):
    """Everything that decides the shape of a `DemucsV1`.

    Attributes:
        upsample: the way of Wave-U-Net: convolutions of stride 1 and decimation on the way in,
            linear interpolation and convolutions on the way out.
    """

    upsample: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DemucsV2Config(UnpaddedConfig):
    """Everything that decides the shape of a `DemucsV2`.

    Attributes:
        resample: work at twice the sample rate of the audio.
    """

    resample: bool = True


C = TypeVar("C", bound=UnpaddedConfig)


class _UnpaddedDemucs(SeparationNetwork[C]):
    """The U-Net of v1 and v2.

    Args:
        config: the shape of the network.
        upsample: interpolate and convolve instead of transposed convolutions.
        rate: at how many times the audio's sample rate the layers work.
    """

    def __init__(self, config: C, *, upsample: bool = False, rate: int = 1) -> None:
        super().__init__(config)
        self._upsample = upsample
        self._rate = rate
        self.encoder = nn.ModuleList()
        self.decoder = nn.ModuleList()
        stems = len(config.sources) * config.audio_channels
        channels_in, hidden = config.audio_channels, config.hidden
        for index in range(config.depth):
            channels_out = channels_in if index else (hidden if upsample else stems)
            self.encoder.append(self._encoder_layer(channels_in, hidden))
            self.decoder.insert(0, self._decoder_layer(hidden, channels_out, last=index == 0))
            channels_in, hidden = hidden, int(config.growth * hidden)
        self.lstm: nn.Module | None = None
        if config.lstm_layers:
            self.lstm = BLSTM(channels_in, layers=config.lstm_layers, window=None, skip=False)
        self.final: nn.Module | None = None
        if upsample:
            self.final = nn.Conv1d(config.hidden + config.audio_channels, stems, 1)
        if config.rescale:
            rescale_convolutions(self, config.rescale)

    @property
    def stride(self) -> int:
        """Samples by which a segment can move without changing how the network sees it."""
        return math.lcm(self.config.stride**self.config.depth, self._rate) // self._rate

    def _samples_per_step(self) -> int:
        steps = 1
        for _ in range(self.config.depth):
            steps = (steps - 1) * self.config.stride + self.config.kernel_size
        return math.ceil(steps / self._rate)

    def valid_length(self, length: int) -> int:
        """A length from which `separate_valid` returns at least `length` samples.

        At this length no convolution leaves a sample over.

        Args:
            length: samples wanted, at least 1.
        """
        config = self.config
        lost = 2 * config.context if config.rewrite else 0
        steps = length * self._rate
        for _ in range(config.depth):
            if self._upsample:
                steps = math.ceil(steps / config.stride) + config.kernel_size - 1
            else:
                steps = math.ceil((steps - config.kernel_size) / config.stride) + 1
            steps = max(1, steps) + lost
        for _ in range(config.depth):
            if self._upsample:
                steps = steps * config.stride + config.kernel_size - 1
            else:
                steps = (steps - 1) * config.stride + config.kernel_size
        return math.ceil(steps / self._rate)

    def forward(self, mix: Tensor) -> Tensor:
        """Separate a mixture.

        Args:
            mix: waveforms [B, C, T], any T from 1.

        Returns:
            The stems [B, S, C, T].
        """
        return self.separate_within(mix, 0, mix.shape[-1])

    @property
    def surroundings(self) -> int:
        """Samples on either side of a segment that complete it to a `valid_length`."""
        return (self.valid_length(1) + self.stride) // 2

    def separate_within(self, mix: Tensor, start: int, length: int) -> Tensor:
        """Separate a part of a mixture, aware of what lies around it.

        Args:
            mix: waveforms [B, C, T]; silence surrounds it.
            start: the first sample to separate.
            length: samples to separate, at least 1.

        Returns:
            The stems [B, S, C, length].
        """
        valid = self.valid_length(length)
        surrounded = part_of(mix, start - (valid - length) // 2, valid)
        return centre_trim(self.separate_valid(surrounded), length).to(mix.dtype)

    def separate_valid(self, mix: Tensor) -> Tensor:
        """Separate the middle of a mixture that brings its own surroundings.

        Args:
            mix: waveforms [B, C, T], T a `valid_length`.

        Returns:
            The stems [B, S, C, T'] of the middle T' ≤ T samples.
        """
        x = mix
        skips = []
        for encode in self.encoder:
            x = encode(x)
            skips.append(x)
            if self._upsample:
                x = x[..., :: self.config.stride]
        if self.lstm is not None:
            x = self.lstm(x)
        for decode in self.decoder:
            if self._upsample:
                x = _interpolate(x, self.config.stride)
            x = decode(x + centre_trim(skips.pop(), x.shape[-1]))
        if self.final is not None:
            x = self.final(torch.cat([x, centre_trim(mix, x.shape[-1])], dim=1))
        return self._as_stems(x)

    def _encoder_layer(self, channels_in: int, channels_out: int) -> nn.Sequential:
        config = self.config
        stride = 1 if self._upsample else config.stride
        layers = [nn.Conv1d(channels_in, channels_out, config.kernel_size, stride), nn.ReLU()]
        if config.rewrite:
            layers += _gated(channels_out, 1, glu=config.glu)
        return nn.Sequential(*layers)

    def _decoder_layer(self, channels_in: int, channels_out: int, *, last: bool) -> nn.Sequential:
        config = self.config
        layers: list[nn.Module] = []
        if config.rewrite:
            layers += _gated(channels_in, 1 + 2 * config.context, glu=config.glu)
        if self._upsample:
            layers.append(nn.Conv1d(channels_in, channels_out, config.kernel_size))
        else:
            layers.append(
                nn.ConvTranspose1d(channels_in, channels_out, config.kernel_size, config.stride)
            )
        if not last:
            layers.append(nn.ReLU())
        return nn.Sequential(*layers)


class DemucsV1(_UnpaddedDemucs[DemucsV1Config]):
    """Demucs of the paper as a `Separator`: stateless, [B, C, T] in, [B, S, C, T] out.

    Args:
        config: the shape of the network; weights start random.
    """

    def __init__(self, config: DemucsV1Config | None = None) -> None:
        config = config or DemucsV1Config()
        super().__init__(config, upsample=config.upsample)


class DemucsV2(_UnpaddedDemucs[DemucsV2Config]):
    """Demucs at twice the sample rate as a `Separator`: stateless, [B, C, T] to [B, S, C, T].

    Args:
        config: the shape of the network; weights start random.
    """

    def __init__(self, config: DemucsV2Config | None = None) -> None:
        config = config or DemucsV2Config()
        super().__init__(config, rate=2 if config.resample else 1)
        self.upsampler = SincResampler(1, 2) if config.resample else nn.Identity()
        self.downsampler = SincResampler(2, 1) if config.resample else nn.Identity()

    def separate_valid(self, mix: Tensor) -> Tensor:
        """Separate the middle of a mixture that brings its own surroundings.

        Args:
            mix: waveforms [B, C, T], T a `valid_length`.

        Returns:
            The stems [B, S, C, T'] of the middle T' ≤ T samples.
        """
        stems = super().separate_valid(self.upsampler(mix))
        return torch.as_tensor(self.downsampler(stems))


def _gated(channels: int, kernel_size: int, *, glu: bool) -> list[nn.Module]:
    """A convolution that keeps the channels, and its activation."""
    if glu:
        return [nn.Conv1d(channels, 2 * channels, kernel_size), nn.GLU(dim=1)]
    return [nn.Conv1d(channels, channels, kernel_size), nn.ReLU()]


def _interpolate(x: Tensor, factor: int) -> Tensor:
    """Draw straight lines between the T steps of x [B, C, T]: [B, C, (T − 1) · factor]."""
    share = torch.arange(factor, device=x.device, dtype=x.dtype) / factor
    lines = x[..., :-1, None] * (1 - share) + x[..., 1:, None] * share
    return lines.flatten(-2)
