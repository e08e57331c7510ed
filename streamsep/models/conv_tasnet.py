"""Conv-TasNet for music: a learnt filter bank, masks, and the filter bank back.

Luo and Mesgarani, "Conv-TasNet: Surpassing Ideal Time–Frequency Magnitude Masking for Speech
Separation" (2019), in the form for music that was published along with Demucs: all channels share
the filter bank, and a block has no separate path to the output. Where a spectrogram has sines, here
256 filters of 20 samples are learnt; a stack of dilated convolutions, whose reach doubles from
block to block, looks at their outputs and says what share of each belongs to which stem::

    mix [C, T] ─ filters, every 10 samples ─ ReLU ─┬─ norm ─ conv1 ─ blocks ×40 ─ conv1 ─ ReLU ─┐
                                                   └───────────────────────────────────────────(×)
    stems [S, C, T] ─ overlap-add of 20 samples ─ filters back ──────────────────────────────────┘

    block    x ─┬─ conv1 ─ PReLU ─ norm ─ depthwise conv3, dilated ─ PReLU ─ norm ─ conv1 ─(+)─
                └───────────────────────────────────────────────────────────────────────────┘

torchaudio's `ConvTasNet` is for mono speech: one input channel, biases, a separate skip path. It
cannot hold the weights published with Demucs v2 (`tasnet`, `tasnet_extra`), whose names these are.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from streamsep.errors import ConfigError
from streamsep.models.network import NetworkConfig, SeparationNetwork, check_least

__all__ = ["ConvTasNet", "ConvTasNetConfig"]

_LEAST_VARIANCE = 1e-8


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvTasNetConfig(NetworkConfig):
    """Everything that decides the shape of a `ConvTasNet`, with the paper's letter for each.

    Attributes:
        filters: filters of the filter bank (N).
        filter_length: their length in samples, an even number (L); they lie half of it apart.
        bottleneck: channels between the blocks (B).
        hidden: channels within a block (H).
        kernel_size: kernel of a block's depthwise convolution, an odd number (P).
        blocks: blocks in a repeat, with dilation 1, 2, 4, ... (X).
        repeats: repeats (R).
    """

    filters: int = 256
    filter_length: int = 20
    bottleneck: int = 256
    hidden: int = 512
    kernel_size: int = 3
    blocks: int = 10
    repeats: int = 4

    def __post_init__(self) -> None:
        NetworkConfig.__post_init__(self)
        least = {"filters": 1, "filter_length": 2, "bottleneck": 1, "hidden": 1}
        check_least(self, {**least, "kernel_size": 1, "blocks": 1, "repeats": 1})
        if self.filter_length % 2 or not self.kernel_size % 2:
            raise ConfigError(
                f"filter_length must be even and kernel_size odd, got {self.filter_length} and "
                f"{self.kernel_size}"
            )


class ConvTasNet(SeparationNetwork[ConvTasNetConfig]):
    """Conv-TasNet as a `Separator`: stateless, [B, C, T] in, [B, S, C, T] out.

    Args:
        config: the shape of the network; weights start random.
    """

    def __init__(self, config: ConvTasNetConfig | None = None) -> None:
        super().__init__(config := config or ConvTasNetConfig())
        self.encoder = _Encoder(config)
        self.separator = _MaskEstimator(config)
        self.decoder = _Decoder(config)
        for layer in self.modules():
            if isinstance(layer, nn.Conv1d | nn.Linear):
                nn.init.xavier_normal_(layer.weight)

    @property
    def stride(self) -> int:
        """Samples by which a segment can move without changing how the network sees it."""
        return self.config.filter_length // 2

    def _samples_per_step(self) -> int:
        return self.config.filter_length

    def forward(self, mix: Tensor) -> Tensor:
        """Separate a mixture.

        Args:
            mix: waveforms [B, C, T], any T from 1.

        Returns:
            The stems [B, S, C, T].
        """
        length = mix.shape[-1]
        short = max(-length % self.stride, self.config.filter_length - length)
        features = self.encoder(F.pad(mix, (0, short)))
        masks = self.separator(features)
        return self.decoder(features[:, None] * masks)[..., :length].to(mix.dtype)


class _Encoder(nn.Module):
    """The filter bank: from waveforms [B, C, T] to features [B, N, K], at least 0."""

    def __init__(self, config: ConvTasNetConfig) -> None:
        super().__init__()
        length = config.filter_length
        self.conv1d_U = nn.Conv1d(
            config.audio_channels, config.filters, length, stride=length // 2, bias=False
        )

    def forward(self, mix: Tensor) -> Tensor:
        return F.relu(self.conv1d_U(mix))


class _Decoder(nn.Module):
    """The filter bank back: from features [B, S, N, K] to waveforms [B, S, C, T]."""

    def __init__(self, config: ConvTasNetConfig) -> None:
        super().__init__()
        self.channels, self.length = config.audio_channels, config.filter_length
        self.basis_signals = nn.Linear(config.filters, self.channels * self.length, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        # Overlap-add of a learnt waveform per feature is what a transposed convolution is.
        waveforms = self.basis_signals.weight.t().reshape(-1, self.channels, self.length)
        flat = F.conv_transpose1d(features.flatten(0, 1), waveforms, stride=self.length // 2)
        return flat.reshape(*features.shape[:2], *flat.shape[1:])


class _MaskEstimator(nn.Module):
    """From features [B, N, K] to a mask for each stem [B, S, N, K], at least 0."""

    def __init__(self, config: ConvTasNetConfig) -> None:
        super().__init__()
        self.stems = len(config.sources)
        repeats = [
            nn.Sequential(*(_Block(config, dilation=2**index) for index in range(config.blocks)))
            for _ in range(config.repeats)
        ]
        self.network = nn.Sequential(
            _Norm(config.filters, over_time=False),
            nn.Conv1d(config.filters, config.bottleneck, 1, bias=False),
            nn.Sequential(*repeats),
            nn.Conv1d(config.bottleneck, self.stems * config.filters, 1, bias=False),
        )

    def forward(self, features: Tensor) -> Tensor:
        masks = F.relu(self.network(features))
        return masks.reshape(features.shape[0], self.stems, *features.shape[1:])


class _Block(nn.Module):
    """A residual block of the stack, [B, B, K] to the same shape."""

    def __init__(self, config: ConvTasNetConfig, *, dilation: int) -> None:
        super().__init__()
        hidden = config.hidden
        self.net = nn.Sequential(
            nn.Conv1d(config.bottleneck, hidden, 1, bias=False),
            nn.PReLU(),
            _Norm(hidden, over_time=True),
            _DepthwiseSeparable(config, dilation=dilation),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(x + self.net(x))


class _DepthwiseSeparable(nn.Module):
    """A convolution along time for each channel by itself, then one across channels."""

    def __init__(self, config: ConvTasNetConfig, *, dilation: int) -> None:
        super().__init__()
        hidden = config.hidden
        self.net = nn.Sequential(
            nn.Conv1d(
                hidden,
                hidden,
                config.kernel_size,
                padding=config.kernel_size // 2 * dilation,
                dilation=dilation,
                groups=hidden,
                bias=False,
            ),
            nn.PReLU(),
            _Norm(hidden, over_time=True),
            nn.Conv1d(hidden, config.bottleneck, 1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.net(x))


class _Norm(nn.Module):
    """Layer normalisation of x [B, C, K]: over channels and time together, or of each step alone.

    Source: Luo and Mesgarani (2019), global and channel-wise layer normalisation.
    """

    def __init__(self, channels: int, *, over_time: bool) -> None:
        super().__init__()
        self.over_time = over_time
        self.gamma = nn.Parameter(torch.ones(1, channels, 1))
        self.beta = nn.Parameter(torch.zeros(1, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        gamma, beta = self.gamma.flatten(), self.beta.flatten()
        if self.over_time:
            return F.group_norm(x, 1, gamma, beta, _LEAST_VARIANCE)
        steps = x.transpose(1, 2)
        return F.layer_norm(steps, gamma.shape, gamma, beta, _LEAST_VARIANCE).transpose(1, 2)
