"""Hybrid Demucs: one U-Net on the waveform, one on the spectrogram, joined in the middle.

Défossez, "Hybrid Spectrogram and Waveform Source Separation" (2021), Figure 1. Both branches
shorten their own axis by 4 in every layer. After four layers the spectrogram's frequency axis has 8
bins; the fifth layer removes it, and by then the waveform, too, has one step every 1024 samples:
the branches are added, pass a shared layer, and part again on the way out. The two results, a
spectrogram (real and imaginary part as channels) and a waveform, are summed::

    spectrogram [2C, 2048, N] ─ E0 ─ E1 ─ E2 ─ E3 ─ E4 ─┐       ┌─ D4 ─ D3 ─ D2 ─ D1 ─ D0 ─ iSTFT ┐
                                                       (+) E5 D5┤                                (+)
    waveform    [C, T] ────── T0 ─ T1 ─ T2 ─ T3 ─ T4 ───┘       └─ U4 ─ U3 ─ U2 ─ U1 ─ U0 ────────┘

The decoders start from zeros: all signal reaches them through the skip connections (not drawn).
Both inputs are normalised by their own mean and standard deviation over the whole segment, which
the paper does not mention and every published checkpoint expects.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from streamsep.errors import ConfigError
from streamsep.models.hybrid_layers import DecoderLayer, EncoderLayer, LayerShape
from streamsep.models.residual import ResidualBranches
from streamsep.models.spectrogram import aligned_istft, aligned_stft

__all__ = ["HybridDemucs", "HybridDemucsConfig"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HybridDemucsConfig:
    """Everything that decides the shape of a `HybridDemucs`. The defaults are the paper's.

    Attributes:
        sources: names of the stems, in order.
        audio_channels: channels of the audio.
        sample_rate: samples per second of the audio the network was trained on.
        hidden: channels of the outermost layer.
        growth: factor by which channels grow from layer to layer.
        depth: number of layers.
        n_fft: window of the STFT in samples; its hop is a quarter.
        kernel_size: kernel of the layers before the branches meet.
        stride: stride of those layers.
        time_stride: stride of the layers after the branches have met.
        context: neighbours on each side seen by a decoder layer's first convolution.
        norm_starts: index of the first layer with GroupNorm.
        norm_groups: groups of those norms.
        branch_depth: residual branches per encoder layer.
        branch_compress: how much a residual branch squeezes the channels.
        branch_lstm_starts: index of the first layer whose branches hold an LSTM.
        branch_attention_starts: index of the first layer whose branches hold attention.
        layer_scale: initial gain of a residual branch.
        freq_embedding: weight of the frequency embedding after the first layer; 0 for none.
        embedding_scale: the embedding is stored divided by this, so that it learns faster.
        embedding_smooth: start the embedding as a smooth function of frequency.
        rescale: reference for the initial scale of the convolutions; 0 to leave them alone.
    """

    sources: tuple[str, ...] = ("drums", "bass", "other", "vocals")
    audio_channels: int = 2
    sample_rate: int = 44_100
    hidden: int = 48
    growth: int = 2
    depth: int = 6
    n_fft: int = 4096
    kernel_size: int = 8
    stride: int = 4
    time_stride: int = 2
    context: int = 1
    norm_starts: int = 4
    norm_groups: int = 4
    branch_depth: int = 2
    branch_compress: float = 4
    branch_lstm_starts: int = 4
    branch_attention_starts: int = 4
    layer_scale: float = 1e-3
    freq_embedding: float = 0.2
    embedding_scale: float = 10
    embedding_smooth: bool = True
    rescale: float = 0.1

    def __post_init__(self) -> None:
        if not self.sources or self.audio_channels < 1 or self.hidden < 1 or self.depth < 1:
            raise ConfigError(
                f"a network needs sources, channels and layers, got sources={self.sources}, "
                f"audio_channels={self.audio_channels}, hidden={self.hidden}, depth={self.depth}"
            )
        merge, bins = 0, self.n_fft // 2
        while bins > self.kernel_size:
            merge, bins = merge + 1, bins // self.stride
        # The time branch has then been shortened stride^(merge+1) times, the spectrogram by its
        # hop: where these differ the branches cannot be added.
        if self.stride ** (merge + 1) != self.n_fft // 4 or merge >= self.depth:
            raise ConfigError(
                f"the branches cannot meet: n_fft={self.n_fft}, kernel_size={self.kernel_size}, "
                f"stride={self.stride}, depth={self.depth}; the defaults 4096, 8, 4, 6 fit, "
                "as does n_fft 1024 with depth 5"
            )

    @property
    def merge_layer(self) -> int:
        """Index of the layer that removes the frequency axis and takes in the time branch."""
        index, bins = 0, self.n_fft // 2
        while bins > self.kernel_size:
            index, bins = index + 1, bins // self.stride
        return index


class HybridDemucs(nn.Module):
    """Hybrid Demucs as a `Separator`: stateless, [B, C, T] in, [B, S, C, T] out.

    Args:
        config: the shape of the network; weights start random.
    """

    def __init__(self, config: HybridDemucsConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or HybridDemucsConfig()
        self.freq_encoder = nn.ModuleList()
        self.time_encoder = nn.ModuleList()
        self.freq_decoder = nn.ModuleList()
        self.time_decoder = nn.ModuleList()
        freq_in, time_in = 2 * config.audio_channels, config.audio_channels
        freq_out = len(config.sources) * freq_in
        time_out = len(config.sources) * time_in
        for index in range(config.depth):
            hidden = config.hidden * config.growth**index
            self._add_freq_layers(index, freq_in, hidden, freq_out)
            if index <= config.merge_layer:
                self._add_time_layers(index, time_in, hidden, time_out)
            freq_in = time_in = freq_out = time_out = hidden
        self.freq_emb: FrequencyEmbedding | None = None
        if config.freq_embedding:
            self.freq_emb = FrequencyEmbedding(config)
        if config.rescale:
            _rescale(self, config.rescale)

    @property
    def sample_rate(self) -> int:
        """Samples per second that the network expects."""
        return self.config.sample_rate

    @property
    def channels(self) -> int:
        """Audio channels that the network expects."""
        return self.config.audio_channels

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the stems, in the order of the output."""
        return self.config.sources

    @property
    def stride(self) -> int:
        """Samples by which a segment can move without changing how the network sees it."""
        shared_layers = self.config.depth - 1 - self.config.merge_layer
        return int(self.config.n_fft // 4 * self.config.time_stride**shared_layers)

    def forward(self, mix: Tensor) -> Tensor:
        """Separate a mixture.

        Args:
            mix: waveforms [B, C, T], any T from 1.

        Returns:
            The stems [B, S, C, T].
        """
        length = mix.shape[-1]
        spectrum = torch.view_as_real(aligned_stft(mix, self.config.n_fft))
        batch, channels, bins, frames, _ = spectrum.shape
        x = spectrum.permute(0, 1, 4, 2, 3).reshape(batch, 2 * channels, bins, frames)
        x, x_mean, x_std = _normalise(x)
        xt, xt_mean, xt_std = _normalise(mix)

        x, xt = self._decode(*self._encode(x, xt))

        with torch.autocast(mix.device.type, enabled=False):
            x = x.float().view(batch, -1, 2 * channels, bins, frames)
            x = x * x_std[:, None] + x_mean[:, None]
            x = x.view(batch, -1, channels, 2, bins, frames).permute(0, 1, 2, 4, 5, 3)
            from_spectrum = aligned_istft(torch.view_as_complex(x.contiguous()), length)
            xt = xt.float().view(batch, -1, channels, length)
            return xt * xt_std[:, None] + xt_mean[:, None] + from_spectrum

    def _encode(self, x: Tensor, xt: Tensor) -> tuple[list[Tensor], list[Tensor], list[int]]:
        """Run both encoders; return the skips of each branch and the time branch's lengths."""
        skips: list[Tensor] = []
        skips_time: list[Tensor] = []
        lengths = []
        for index, encode in enumerate(self.freq_encoder):
            inject = None
            if index <= self.config.merge_layer:
                lengths.append(xt.shape[-1])
                xt = self.time_encoder[index](xt)
                if index == self.config.merge_layer:
                    inject = xt
                else:
                    skips_time.append(xt)
            else:
                lengths.append(x.shape[-1])
            x = encode(x, inject)
            if index == 0 and self.freq_emb is not None:
                x = x + self.freq_emb(x.shape[-2]).to(x.dtype)
            skips.append(x)
        return skips, skips_time, lengths

    def _decode(
        self, skips: list[Tensor], skips_time: list[Tensor], lengths: list[int]
    ) -> tuple[Tensor, Tensor]:
        """Run both decoders from the encoders' skips; return spectrogram and waveform channels.

        The lists are emptied on the way: a skip that has been used need not be kept in memory.
        """
        merge = self.config.merge_layer
        x = torch.zeros_like(skips[-1])
        xt = x
        for index in reversed(range(self.config.depth)):
            decode = self.freq_decoder[self.config.depth - 1 - index]
            x, before_last = decode(x, skips.pop(), lengths[index])
            if index == merge:
                xt, _ = self.time_decoder[0](before_last[:, :, 0], None, lengths[index])
            elif index < merge:
                xt, _ = self.time_decoder[merge - index](xt, skips_time.pop(), lengths[index])
        return x, xt

    def _add_freq_layers(
        self, index: int, channels_in: int, hidden: int, channels_out: int
    ) -> None:
        shape = self._freq_shape(index)
        config = self.config
        self.freq_encoder.append(
            EncoderLayer(channels_in, hidden, shape, branches=self._branches(index, hidden))
        )
        self.freq_decoder.insert(
            0,
            DecoderLayer(hidden, channels_out, shape, context=config.context, last=index == 0),
        )

    def _add_time_layers(
        self, index: int, channels_in: int, hidden: int, channels_out: int
    ) -> None:
        config = self.config
        bare = index == config.merge_layer
        shape = LayerShape(
            kernel=config.kernel_size,
            stride=config.stride,
            padding=config.kernel_size // 4,
            along_frequency=False,
            norm_groups=config.norm_groups if index >= config.norm_starts else 0,
        )
        branches = None if bare else self._branches(index, hidden)
        self.time_encoder.append(
            EncoderLayer(channels_in, hidden, shape, branches=branches, bare=bare)
        )
        self.time_decoder.insert(
            0,
            DecoderLayer(
                hidden, channels_out, shape, context=config.context, last=index == 0, bare=bare
            ),
        )

    def _freq_shape(self, index: int) -> LayerShape:
        """Geometry of layer `index` of the frequency branch, which goes on after the merge."""
        config = self.config
        bins = config.n_fft // 2 // config.stride**index
        norm_groups = config.norm_groups if index >= config.norm_starts else 0
        if index > config.merge_layer:
            kernel, stride, padding = 2 * config.time_stride, config.time_stride, None
        elif index == config.merge_layer:
            kernel, stride, padding = bins, config.stride, 0
        else:
            kernel, stride, padding = config.kernel_size, config.stride, None
        return LayerShape(
            kernel=kernel,
            stride=stride,
            padding=kernel // 4 if padding is None else padding,
            along_frequency=index <= config.merge_layer,
            norm_groups=norm_groups,
        )

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


class FrequencyEmbedding(nn.Module):
    """A learnt vector per frequency bin: lets convolutions along frequency know where they are.

    Paper, section "Frequency embedding", after Isik et al. (2020).
    """

    def __init__(self, config: HybridDemucsConfig) -> None:
        super().__init__()
        self.weight = config.freq_embedding
        self.scale = config.embedding_scale
        bins = config.n_fft // 2 // config.stride
        self.embedding = nn.Embedding(bins, config.hidden)
        table = self.embedding.weight.data
        if config.embedding_smooth:
            # A random walk over the bins, kept at unit variance.
            table = table.cumsum(0) / torch.arange(1, bins + 1).sqrt()[:, None]
        self.embedding.weight.data = table / self.scale

    def forward(self, bins: int) -> Tensor:
        """The embedding of the first `bins` bins, weighted, [1, C, bins, 1]."""
        table = self.embedding.weight[:bins] * (self.scale * self.weight)
        return table.t()[None, :, :, None]


def _normalise(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Centre and scale x over everything but the batch; return it with its mean and deviation."""
    dims = tuple(range(1, x.dim()))
    mean = x.mean(dim=dims, keepdim=True)
    # One sample has no deviation: without the guard it would be NaN.
    several = x[0].numel() > 1
    std = x.std(dim=dims, keepdim=True) if several else torch.zeros_like(mean)
    return (x - mean) / (1e-5 + std), mean, std


def _rescale(module: nn.Module, reference: float) -> None:
    """Bring every convolution's initial weights closer to the deviation `reference`.

    Source: "Music Source Separation in the Waveform Domain", section "Weight rescaling".
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.ConvTranspose1d | nn.ConvTranspose2d):
            scale = (layer.weight.std().detach() / reference) ** 0.5
            layer.weight.data /= scale
            if layer.bias is not None:
                layer.bias.data /= scale
