"""The improved Demucs of the third version: the waveform U-Net alone, with residual branches.

Défossez, "Hybrid Spectrogram and Waveform Source Separation", calls it time-only Demucs: the
network of v2 (`demucs_v1_v2`) with GELU, compressed residual branches and, in its innermost two
layers, GroupNorm; the LSTM and the attention in these layers' branches replace the LSTM in the
middle. The decoder's convolutions are padded, so lengths come out even without trimming::

    encoder   x ─ conv K,S ─ norm ─ GELU ─ residual branches ─ conv1 ─ norm ─ GLU
    decoder   x ─(+ skip)─ conv3 ─ norm ─ GLU ─ transposed conv K,S ─ norm ─ GELU (not at the end)

The layers work at twice the sample rate of the audio, on a mixture that is normalised by the mean
and the deviation of its mono mix. The members `0d19c1c6` and `7ecf8ec1` of the MDX bag are such
networks with 64 channels and ``rewrite=False``. Names and positions are those of demucs' class
`Demucs`; `time_weights_from_v2` maps the weights of a v2 network, whose positions lack the norms.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from streamsep.errors import ConfigError
from streamsep.models.initialisation import rescale_convolutions
from streamsep.models.network import (
    NetworkConfig,
    SeparationNetwork,
    centre_pad,
    centre_trim,
    check_least,
    part_of,
)
from streamsep.models.resampling import SincResampler
from streamsep.models.residual import BLSTM, ResidualBranches

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TimeDemucs", "TimeDemucsConfig", "time_weights_from_v2"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeDemucsConfig(NetworkConfig):
    """Everything that decides the shape of a `TimeDemucs`.

    Attributes:
        hidden: channels of the outermost layer.
        growth: factor by which channels grow from layer to layer, rounded down.
        depth: number of layers.
        kernel_size: kernel of the convolutions that change the length.
        stride: factor by which a layer shortens time.
        context: neighbours on each side that a decoder layer's first convolution sees.
        rewrite: begin decoder layers with that convolution and end encoder layers with a 1 × 1 one.
        glu: gated linear units after these two; otherwise ReLU.
        gelu: GELU after the other convolutions; otherwise ReLU.
        lstm_layers: layers of an LSTM in the middle; 0 for none.
        norm_starts: index of the first layer with GroupNorm.
        norm_groups: groups of those norms.
        encoder_branches: residual branches in the encoder layers.
        decoder_branches: residual branches in the decoder layers.
        branch_depth: residual branches per layer.
        branch_compress: how much a residual branch squeezes the channels.
        branch_lstm_starts: index of the first layer whose branches hold an LSTM.
        branch_attention_starts: index of the first layer whose branches hold attention.
        layer_scale: initial gain of a residual branch.
        normalize: centre and scale the mixture by its mono mix, and undo it in the stems.
        resample: work at twice the sample rate of the audio.
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
    gelu: bool = True
    lstm_layers: int = 0
    norm_starts: int = 4
    norm_groups: int = 4
    encoder_branches: bool = True
    decoder_branches: bool = False
    branch_depth: int = 2
    branch_compress: float = 4
    branch_lstm_starts: int = 4
    branch_attention_starts: int = 4
    layer_scale: float = 1e-3
    normalize: bool = True
    resample: bool = True
    rescale: float = 0.1

    def __post_init__(self) -> None:
        NetworkConfig.__post_init__(self)
        least = {"hidden": 1, "growth": 1, "depth": 1, "stride": 2, "context": 0, "norm_groups": 1}
        check_least(self, {**least, "kernel_size": self.stride, "lstm_layers": 0, "rescale": 0})
        if self.branch_compress <= 0:
            raise ConfigError(f"branch_compress must be above 0, got {self.branch_compress}")
        # A decoder layer normalises the channels that it hands to the next one out.
        for index, hidden in enumerate(self.widths):
            if index >= self.norm_starts - 1 and hidden % self.norm_groups:
                raise ConfigError(
                    f"layer {index} has {hidden} channels, which norm_groups={self.norm_groups} "
                    "does not divide; change hidden or norm_groups"
                )

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of every layer, from the outermost to the innermost."""
        widths = [self.hidden]
        while len(widths) < self.depth:
            widths.append(int(self.growth * widths[-1]))
        return tuple(widths)


class TimeDemucs(SeparationNetwork[TimeDemucsConfig]):
    """The time-only Demucs as a `Separator`: stateless, [B, C, T] in, [B, S, C, T] out.

    Args:
        config: the shape of the network; weights start random.
    """

    def __init__(self, config: TimeDemucsConfig | None = None) -> None:
        super().__init__(config := config or TimeDemucsConfig())
        self._rate = 2 if config.resample else 1
        self.encoder = nn.ModuleList()
        self.decoder = nn.ModuleList()
        channels_in = config.audio_channels
        channels_out = len(config.sources) * config.audio_channels
        for index, hidden in enumerate(config.widths):
            self.encoder.append(self._encoder_layer(index, channels_in, hidden))
            self.decoder.insert(0, self._decoder_layer(index, hidden, channels_out))
            channels_in = channels_out = hidden
        self.lstm: nn.Module | None = None
        if config.lstm_layers:
            self.lstm = BLSTM(channels_in, layers=config.lstm_layers, window=None, skip=False)
        self.upsampler = SincResampler(1, 2) if config.resample else nn.Identity()
        self.downsampler = SincResampler(2, 1) if config.resample else nn.Identity()
        if config.rescale:
            rescale_convolutions(self, config.rescale)

    @property
    def stride(self) -> int:
        """Samples by which a segment can move without changing how the network sees it."""
        return math.lcm(self.config.stride**self.config.depth, self._rate) // self._rate

    def _samples_per_step(self) -> int:
        return self.valid_length(1)

    def valid_length(self, length: int) -> int:
        """The least length, from `length`, at which no convolution leaves a sample over.

        Args:
            length: samples, at least 1.
        """
        config = self.config
        steps = length * self._rate
        for _ in range(config.depth):
            steps = max(1, math.ceil((steps - config.kernel_size) / config.stride) + 1)
        for _ in range(config.depth):
            steps = (steps - 1) * config.stride + config.kernel_size
        return math.ceil(steps / self._rate)

    def forward(self, mix: Tensor) -> Tensor:
        """Separate a mixture.

        Args:
            mix: waveforms [B, C, T], any T from 1.

        Returns:
            The stems [B, S, C, T].
        """
        length = mix.shape[-1]
        mean, deviation = torch.zeros_like(mix[:, :1, :1]), torch.ones_like(mix[:, :1, :1])
        x = mix
        if self.config.normalize:
            mean, deviation = _mono_statistics(mix)
            x = (mix - mean) / (1e-5 + deviation)
        x = self.upsampler(centre_pad(x, self.valid_length(length)))
        skips = []
        for encode in self.encoder:
            x = encode(x)
            skips.append(x)
        if self.lstm is not None:
            x = self.lstm(x)
        for decode in self.decoder:
            x = decode(x + centre_trim(skips.pop(), x.shape[-1]))
        x = centre_trim(self.downsampler(x).to(mix.dtype), length)
        return self._as_stems(x * deviation + mean)

    @property
    def surroundings(self) -> int:
        """Samples on either side of a segment that complete it to a `valid_length`."""
        return (self.valid_length(1) + self.stride) // 2

    def separate_within(self, mix: Tensor, start: int, length: int) -> Tensor:
        """Separate a part of a mixture, with what lies around it where forward sees zeros.

        Args:
            mix: waveforms [B, C, T]; silence surrounds it.
            start: the first sample to separate.
            length: samples to separate, at least 1.

        Returns:
            The stems [B, S, C, length].
        """
        valid = self.valid_length(length)
        whole = self(part_of(mix, start - (valid - length) // 2, valid))
        return centre_trim(torch.as_tensor(whole), length)

    def _encoder_layer(self, index: int, channels_in: int, hidden: int) -> nn.Sequential:
        config = self.config
        layers = [
            nn.Conv1d(channels_in, hidden, config.kernel_size, config.stride),
            self._norm(index, hidden),
            self._activation(),
        ]
        if config.encoder_branches:
            layers.append(self._branches(index, hidden))
        if config.rewrite:
            layers += self._rewrite(index, hidden, context=0)
        return nn.Sequential(*layers)

    def _decoder_layer(self, index: int, hidden: int, channels_out: int) -> nn.Sequential:
        config = self.config
        layers: list[nn.Module] = []
        if config.rewrite:
            layers += self._rewrite(index, hidden, context=config.context)
        if config.decoder_branches:
            layers.append(self._branches(index, hidden))
        layers.append(nn.ConvTranspose1d(hidden, channels_out, config.kernel_size, config.stride))
        if index > 0:
            layers += [self._norm(index, channels_out), self._activation()]
        return nn.Sequential(*layers)

    def _rewrite(self, index: int, channels: int, *, context: int) -> list[nn.Module]:
        """A convolution that keeps the channels, its norm and its gate."""
        wide = 2 * channels if self.config.glu else channels
        return [
            nn.Conv1d(channels, wide, 1 + 2 * context, padding=context),
            self._norm(index, wide),
            nn.GLU(dim=1) if self.config.glu else nn.ReLU(),
        ]

    def _norm(self, index: int, channels: int) -> nn.Module:
        if index < self.config.norm_starts:
            return nn.Identity()
        return nn.GroupNorm(self.config.norm_groups, channels)

    def _activation(self) -> nn.Module:
        return nn.GELU() if self.config.gelu else nn.ReLU()

    def _branches(self, index: int, hidden: int) -> ResidualBranches:
        config = self.config
        return ResidualBranches(
            hidden,
            depth=config.branch_depth,
            compress=config.branch_compress,
            layer_scale=config.layer_scale,
            lstm=index >= config.branch_lstm_starts,
            attention=index >= config.branch_attention_starts,
        )


def time_weights_from_v2(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a `DemucsV2` under the names of a `TimeDemucs` of the same shape.

    Such a `TimeDemucs` has ReLU for GELU, the LSTM in the middle, no norms, no branches and no
    normalisation. It computes the same but for what is near the ends of a segment: where v2 trims
    what the decoder's convolutions have not seen whole, this network sees zeros there.

    Args:
        weights: v2's state dict, with the convolutions of `rewrite`.
    """
    return {
        re.sub(r"^((?:encoder|decoder)\.\d+)\.2\.", r"\1.3.", name): weight
        for name, weight in weights.items()
    }


def _mono_statistics(mix: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the mono mix of mix [B, C, T], both [B, 1, 1]."""
    mono = mix.mean(dim=1, keepdim=True)
    mean = mono.mean(dim=-1, keepdim=True)
    # One sample has no deviation: without the guard it would be NaN.
    several = mono.shape[-1] > 1
    return mean, mono.std(dim=-1, keepdim=True) if several else torch.zeros_like(mean)
