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

The variants that were published or tried each change one box of the picture:

- STFT and iSTFT: `spectrogram.py` holds three ways of lining up frames;
- what the spectrogram's channels are: `representation.py`, complex numbers or magnitudes;
- E0, E1, D0, D1: `multi_frequency.py` gives every band of frequencies weights of its own;
- T and U: `hybrid=False` leaves them out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from streamsep.models.hybrid_config import HybridDemucsConfig
from streamsep.models.hybrid_layers import DecoderLayer, EncoderLayer, LayerShape
from streamsep.models.initialisation import rescale_convolutions
from streamsep.models.multi_frequency import BandedDecoder, BandedEncoder
from streamsep.models.network import SeparationNetwork
from streamsep.models.representation import representation_of
from streamsep.models.residual import ResidualBranches
from streamsep.models.spectrogram import spectrogram_of

if TYPE_CHECKING:
    from streamsep.models.incremental import HybridFollower

__all__ = ["HybridDemucs", "HybridDemucsConfig"]


class HybridDemucs(SeparationNetwork[HybridDemucsConfig]):
    """Hybrid Demucs as a `Separator`: stateless, [B, C, T] in, [B, S, C, T] out.

    Args:
        config: the shape of the network; weights start random.

    Raises:
        ConfigError: no such network can be built.
    """

    def __init__(self, config: HybridDemucsConfig | None = None) -> None:
        super().__init__(config := config or HybridDemucsConfig())
        self.spectrogram = spectrogram_of(config)
        self.representation = representation_of(config)
        self.freq_encoder = nn.ModuleList()
        self.time_encoder = nn.ModuleList()
        self.freq_decoder = nn.ModuleList()
        self.time_decoder = nn.ModuleList()
        freq_in = self.representation.width * config.audio_channels
        time_in = config.audio_channels
        freq_out, time_out = len(config.sources) * freq_in, len(config.sources) * time_in
        for index, (freq, time) in enumerate(config.widths):
            self._add_freq_layers(index, freq_in, freq, freq_out)
            if config.hybrid and index <= config.merge_layer:
                self._add_time_layers(index, time_in, time, time_out)
            freq_in = freq_out = freq
            time_in = time_out = time
        self.freq_emb: FrequencyEmbedding | None = None
        if config.freq_embedding:
            self.freq_emb = FrequencyEmbedding(config)
        if config.rescale:
            rescale_convolutions(self, config.rescale)

    @property
    def stride(self) -> int:
        """Samples by which a segment can move without changing how the network sees it."""
        return int(self.config.n_fft // 4 * self.config.time_stride**self.config.shared_layers)

    def follow(self, *, segment: int, hop: int, wanted: slice) -> HybridFollower | None:
        """Follow a live stream hop by hop; None for variants that cannot, see `incremental`.

        Args:
            segment: samples of each segment, a multiple of the stride.
            hop: samples between the starts of segments, likewise.
            wanted: the samples of each segment whose estimates it shall give.
        """
        from streamsep.models.incremental import HybridFollower

        if not HybridFollower.fits(self.config):
            return None
        return HybridFollower(self, segment=segment, hop=hop, wanted=wanted)

    def _samples_per_step(self) -> int:
        frames = 1
        for _ in range(self.config.shared_layers):
            frames = (frames + 1) * self.config.time_stride
        return self.config.n_fft + (frames - 1) * self.config.n_fft // 4

    def forward(self, mix: Tensor) -> Tensor:
        """Separate a mixture.

        Args:
            mix: waveforms [B, C, T], any T from 1.

        Returns:
            The stems [B, S, C, T].
        """
        length = mix.shape[-1]
        spectrum = self.spectrogram.analyse(mix)
        x, x_mean, x_std = _normalise(self.representation.to_channels(spectrum))
        xt, xt_mean, xt_std = _normalise(mix)

        x, xt = self._decode(*self._encode(x, xt))

        with torch.autocast(mix.device.type, enabled=False):
            x = x.to(mix.dtype).reshape(len(mix), len(self.sources), -1, *x.shape[2:])
            x = x * x_std[:, None] + x_mean[:, None]
            spectra = self.representation.to_spectrograms(x, spectrum)
            from_spectrum = self.spectrogram.synthesise(spectra, length)
            if not self.config.hybrid:
                return from_spectrum
            xt = self._as_stems(xt.to(mix.dtype))
            return xt * xt_std[:, None] + xt_mean[:, None] + from_spectrum

    def _encode(self, x: Tensor, xt: Tensor) -> tuple[list[Tensor], list[Tensor], list[int]]:
        """Run both encoders; return the skips of each branch and the lengths along time."""
        skips: list[Tensor] = []
        skips_time: list[Tensor] = []
        lengths = []
        for index, encode in enumerate(self.freq_encoder):
            inject = None
            if index < len(self.time_encoder):
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
        innermost = len(self.time_decoder) - 1
        x = torch.zeros_like(skips[-1])
        xt = x
        for index in reversed(range(self.config.depth)):
            decode = self.freq_decoder[self.config.depth - 1 - index]
            x, before_last = decode(x, skips.pop(), lengths[index])
            if index == innermost:
                xt, _ = self.time_decoder[0](before_last[:, :, 0], None, lengths[index])
            elif index < innermost:
                xt, _ = self.time_decoder[innermost - index](xt, skips_time.pop(), lengths[index])
        return x, xt

    def _add_freq_layers(
        self, index: int, channels_in: int, hidden: int, channels_out: int
    ) -> None:
        config = self.config
        shape = self._freq_shape(index)
        last = index == 0
        banded = bool(config.band_edges) and index < config.band_layers

        def encoder(shape: LayerShape) -> EncoderLayer:
            return EncoderLayer(
                channels_in,
                hidden,
                shape,
                branches=self._branches(index, hidden) if config.encoder_branches else None,
                context=config.encoder_context,
            )

        def decoder(shape: LayerShape) -> DecoderLayer:
            return DecoderLayer(
                hidden,
                channels_out,
                shape,
                branches=self._branches(index, hidden) if config.decoder_branches else None,
                context=config.context,
                context_in_time_only=banded,
                last=last or banded,
            )

        if banded:
            before, after = config.bins[index : index + 2]
            edges = config.band_edges
            self.freq_encoder.append(BandedEncoder(encoder, shape, before, edges))
            self.freq_decoder.insert(0, BandedDecoder(decoder, shape, after, edges, last=last))
        else:
            self.freq_encoder.append(encoder(shape))
            self.freq_decoder.insert(0, decoder(shape))

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
            norm_groups=self._norm_groups(index),
            rewrite=config.rewrite,
        )
        in_encoder = config.encoder_branches and not bare
        in_decoder = config.decoder_branches and not bare
        self.time_encoder.append(
            EncoderLayer(
                channels_in,
                hidden,
                shape,
                branches=self._branches(index, hidden) if in_encoder else None,
                context=config.encoder_context,
                bare=bare,
            )
        )
        self.time_decoder.insert(
            0,
            DecoderLayer(
                hidden,
                channels_out,
                shape,
                branches=self._branches(index, hidden) if in_decoder else None,
                context=config.context,
                last=index == 0,
                bare=bare,
            ),
        )

    def _freq_shape(self, index: int) -> LayerShape:
        """Geometry of layer `index` of the frequency branch, which goes on after the merge."""
        config = self.config
        if index > config.merge_layer:
            kernel, stride = 2 * config.time_stride, config.time_stride
        else:
            kernel, stride = config.kernel_size, config.stride
        padding = kernel // 4
        if index == config.merge_layer:
            kernel, padding = config.bins[index], 0
        return LayerShape(
            kernel=kernel,
            stride=stride,
            padding=padding,
            along_frequency=index <= config.merge_layer,
            norm_groups=self._norm_groups(index),
            rewrite=config.rewrite,
        )

    def _norm_groups(self, index: int) -> int:
        return self.config.norm_groups if index >= self.config.norm_starts else 0

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

    Paper, section "Frequency-wise convolutions", after Isik et al. (2020).
    """

    def __init__(self, config: HybridDemucsConfig) -> None:
        super().__init__()
        self.weight = config.freq_embedding
        self.scale = config.embedding_scale
        bins = config.bins[1]
        self.embedding = nn.Embedding(bins, config.widths[0][0])
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
