"""Hybrid Demucs for files on a processor: the same network, its arithmetic arranged anew.

`hybrid_demucs.py` says what the network computes; this says it in the order that a processor is
fast at. Weights are packed once (`packed.py`), norms are computed from the narrow side
(`branches.py`), and rows go through a layer a few at a time (`layers.py`). In float32 the stems are
those of the plain network to 100 dB, in bfloat16 those of a trained one to 45 dB; spectrograms,
attention and statistics are in float32 even then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn

from streamsep.models.tuned.layers import TunedDecoder, TunedEncoder

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamsep.models.hybrid_config import HybridDemucsConfig
    from streamsep.models.hybrid_demucs import HybridDemucs

__all__ = ["TunedHybridDemucs"]

L = TypeVar("L", TunedEncoder, TunedDecoder)


class TunedHybridDemucs:
    """A Hybrid Demucs as a `Separator`, for inference on the processor.

    Args:
        network: in evaluation mode.
        dtype: float32 or bfloat16.
        consume: take the network apart on the way, so that there are never two in memory.
    """

    def __init__(self, network: HybridDemucs, dtype: torch.dtype, *, consume: bool = False) -> None:
        self.config = network.config
        self.stride = network.stride
        self.minimum_segment = network.minimum_segment
        self._dtype = dtype
        self._spectrogram = network.spectrogram
        self._representation = network.representation
        self._embedding = network.freq_emb
        self._freq_encoder = _each(network.freq_encoder, TunedEncoder, dtype, consume)
        self._time_encoder = _each(network.time_encoder, TunedEncoder, dtype, consume)
        self._freq_decoder = _each(network.freq_decoder, TunedDecoder, dtype, consume)
        self._time_decoder = _each(network.time_decoder, TunedDecoder, dtype, consume)

    @staticmethod
    def fits(config: HybridDemucsConfig) -> bool:
        """Whether a network of this shape can be tuned; a few published variants cannot."""
        return (
            config.hybrid
            and config.complex_as_channels
            and not config.band_edges
            and config.encoder_branches
            and not config.decoder_branches
            and config.rewrite
            and config.branch_depth != 0
            and config.norm_starts >= config.merge_layer
            and config.encoder_context == 0
            and config.kernel_size == config.bins[config.merge_layer] == 2 * config.stride
        )

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

    @torch.inference_mode()
    def __call__(self, mix: Tensor) -> Tensor:
        """Separate a mixture float32 [B, C, T], any T from 1, into [B, S, C, T]."""
        x, xt = self._representation.to_channels(self._spectrogram.analyse(mix)), mix[:, :, None]
        (x, *of_spectrum), (xt, *of_wave) = self._normalise(x), self._normalise(xt)
        x, xt = self._decode(*self._encode(x, xt))
        batch, stems, channels = len(mix), len(self.sources), self.channels
        waves = _scaled(xt, *of_wave).reshape(batch, stems, channels, -1)
        # In memory [B, F, N, S, C, 2].
        parts = x.permute(0, 2, 3, 1).reshape(batch, x.shape[2], x.shape[3], stems, -1)
        for stem in range(stems):
            # One after the other, for frames take four times the memory of the wave.
            own = _scaled(parts[:, :, :, stem], *of_spectrum)
            spectra = torch.view_as_complex(own.reshape(*own.shape[:3], channels, 2))
            wave = self._spectrogram.synthesise(spectra.permute(0, 3, 1, 2), mix.shape[-1])
            waves[:, stem] += wave
        return waves

    def _normalise(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Centre and scale x [B, C, F, T], in channels_last, with its mean and deviation."""
        mean = x.mean(dim=(1, 2, 3), keepdim=True)
        # One sample has no deviation: without the guard it would be NaN.
        several = x[0].numel() > 1
        std = x.std(dim=(1, 2, 3), keepdim=True) if several else torch.zeros_like(mean)
        normalised = ((x - mean) / (1e-5 + std)).to(self._dtype)
        return normalised.contiguous(memory_format=torch.channels_last), mean, std

    def _encode(self, x: Tensor, xt: Tensor) -> tuple[list[Tensor], list[Tensor], list[int]]:
        skips: list[Tensor] = []
        skips_time: list[Tensor] = []
        lengths = []
        for index, encode in enumerate(self._freq_encoder):
            inject = None
            lengths.append((xt if index < len(self._time_encoder) else x).shape[-1])
            if index < len(self._time_encoder):
                xt = self._time_encoder[index](xt)
                inject = xt if index == self.config.merge_layer else None
                skips_time.append(xt)
            x = encode(x, inject)
            if index == 0 and self._embedding is not None:
                x += self._embedding(x.shape[-2]).to(x.dtype)
            skips.append(x)
        return skips, skips_time[: self.config.merge_layer], lengths

    def _decode(
        self, skips: list[Tensor], skips_time: list[Tensor], lengths: list[int]
    ) -> tuple[Tensor, Tensor]:
        """Run both decoders; the lists are emptied, for a skip that was used need not be kept."""
        innermost = len(self._time_decoder) - 1
        x: Tensor | None = None
        xt: Tensor | None = None
        for index in reversed(range(self.config.depth)):
            decode = self._freq_decoder[self.config.depth - 1 - index]
            x, before_last = decode(x, skips.pop(), lengths[index])
            if index == innermost:
                xt, _ = self._time_decoder[0](before_last, None, lengths[index])
            elif index < innermost:
                xt, _ = self._time_decoder[innermost - index](xt, skips_time.pop(), lengths[index])
        assert x is not None
        assert xt is not None
        return x, xt


def _scaled(x: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """Undo the normalisation of x, in float32."""
    return torch.addcmul(mean, x.float(), deviation)


def _each(
    layers: nn.ModuleList, tuned: Callable[[Any, torch.dtype], L], dtype: torch.dtype, consume: bool
) -> list[L]:
    """Tune layer after layer, and let go of each before the next if they are to be consumed."""
    result = []
    for index in range(len(layers)):
        result.append(tuned(layers[index], dtype))
        if consume:
            layers[index] = nn.Identity()
    return result
