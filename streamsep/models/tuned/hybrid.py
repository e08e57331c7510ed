"""Hybrid Demucs for files on a processor: the same network, its arithmetic arranged anew.

`hybrid_demucs.py` says what the network computes; this says it in the order that a processor is
fast at. Weights are packed once (`packed.py`), norms are computed from the narrow side
(`branches.py`), and rows go through a layer a few at a time (`layers.py`). In float32 the stems are
those of the plain network to 100 dB, in bfloat16 those of a trained one to 45 dB; spectrograms,
attention and statistics are in float32 even then.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn

from streamsep.models.tuned.layers import TunedDecoder, TunedEncoder
from streamsep.models.tuned.packed_weight import passing_input
from streamsep.models.tuned.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streamsep.models.hybrid_config import HybridDemucsConfig
    from streamsep.models.hybrid_demucs import HybridDemucs
    from streamsep.models.incremental import HybridFollower

__all__ = ["TunedHybridDemucs"]

L = TypeVar("L", TunedEncoder, TunedDecoder)


class TunedHybridDemucs:
    """A Hybrid Demucs as a `Separator`, for inference on the processor.

    Args:
        network: in evaluation mode.
        dtype: float32 or bfloat16.
        consume: take the network apart on the way, so that there are never two in memory.
        settled: is called once, after the first segment, when all weights lie where they stay.
    """

    def __init__(
        self,
        network: HybridDemucs,
        dtype: torch.dtype,
        *,
        consume: bool = False,
        settled: Callable[[], object] | None = None,
    ) -> None:
        self.config = network.config
        self.stride = network.stride
        self.minimum_segment = network.minimum_segment
        self.dtype = dtype
        self._workspace = Workspace(dtype)
        self._settled = settled
        self._shapes: deque[torch.Size] = deque(maxlen=8)
        self.device = next(network.parameters()).device
        self.spectrogram = network.spectrogram
        self.representation = network.representation
        self.embedding = network.freq_emb
        self.freq_encoder = _each(network.freq_encoder, TunedEncoder, dtype, consume)
        self.time_encoder = _each(network.time_encoder, TunedEncoder, dtype, consume)
        self.freq_decoder = _each(network.freq_decoder, TunedDecoder, dtype, consume)
        self.time_decoder = _each(network.time_decoder, TunedDecoder, dtype, consume)

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

    def follow(self, *, segment: int, hop: int, wanted: slice) -> HybridFollower | None:
        """Follow a live stream hop by hop; as `HybridDemucs.follow`."""
        from streamsep.models.incremental import HybridFollower

        if not HybridFollower.fits(self.config):
            return None
        return HybridFollower(self, segment=segment, hop=hop, wanted=wanted)

    def skips(self, segment: int) -> int:
        """How many values the encoder keeps of so many samples until the decoder meets them."""
        frames = -(-segment // (self.config.n_fft // 4))
        of_spectrum = 1, 2 * self.channels, self.config.n_fft // 2, frames
        shapes = self._shapes_of_skips(of_spectrum, (1, self.channels, 1, segment))
        return sum(math.prod(shape) for shape in shapes)

    def _shapes_of_skips(
        self, of_spectrum: Sequence[int], of_wave: Sequence[int]
    ) -> list[tuple[int, int, int, int]]:
        """Of the outer layers', those of the spectrum first."""
        outer = self.config.merge_layer
        return [
            *_shapes(self.freq_encoder[:outer], of_spectrum),
            *_shapes(self.time_encoder[:outer], of_wave),
        ]

    @torch.inference_mode()
    def __call__(self, mix: Tensor) -> Tensor:
        """Separate a mixture float32 [B, C, T], any T from 1, into [B, S, C, T]."""
        known = mix.shape in self._shapes
        # A file ends in a segment of a length of its own.
        with nullcontext() if known else passing_input():
            waves = self._separate(mix)
        if not known:
            self._shapes.append(mix.shape)
        self.settle()
        return waves

    def settle(self) -> None:
        """To be called after a segment: the first one has packed the weights."""
        settled, self._settled = self._settled, None
        if settled is not None:
            settled()

    def _separate(self, mix: Tensor) -> Tensor:
        x, xt = self.representation.to_channels(self.spectrogram.analyse(mix)), mix[:, :, None]
        (x, *of_spectrum), (xt, *of_wave) = self._normalise(x), self._normalise(xt)
        x, xt = self._decode(*self._encode(x, xt))
        batch, stems, channels = len(mix), len(self.sources), self.channels
        waves = _scaled(xt, *of_wave).reshape(batch, stems, channels, -1)
        # In memory [B, F, N, S, C, 2].
        parts = x.permute(0, 2, 3, 1).reshape(batch, *x.shape[2:], stems, channels, 2)
        for stem, channel in itertools.product(range(stems), range(channels)):
            # One after the other, for frames take four times the memory of the wave.
            own = _scaled(parts[:, :, :, stem, channel], *of_spectrum)
            wave = self.spectrogram.synthesise(torch.view_as_complex(own), mix.shape[-1])
            waves[:, stem, channel] += wave
        return waves

    def _normalise(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Centre and scale x [B, C, F, T], in channels_last, with its mean and deviation."""
        mean = x.mean(dim=(1, 2, 3), keepdim=True)
        # One sample has no deviation: without the guard it would be NaN.
        several = x[0].numel() > 1
        std = x.std(dim=(1, 2, 3), keepdim=True) if several else torch.zeros_like(mean)
        normalised = ((x - mean) / (1e-5 + std)).to(self.dtype)
        return normalised.contiguous(memory_format=torch.channels_last), mean, std

    def _encode(self, x: Tensor, xt: Tensor) -> tuple[list[Tensor], list[Tensor], list[int]]:
        outer = self.config.merge_layer
        places = self._workspace.take(self._shapes_of_skips(x.shape, xt.shape))
        skips: list[Tensor] = []
        skips_time: list[Tensor] = []
        lengths = []
        for index, encode in enumerate(self.freq_encoder):
            inject = None
            lengths.append((xt if index < len(self.time_encoder) else x).shape[-1])
            into, into_time = (
                (places[index], places[outer + index]) if index < outer else (None, None)
            )
            if index < len(self.time_encoder):
                xt = self.time_encoder[index](xt, into=into_time)
                inject = xt if index == outer else None
                skips_time.append(xt)
            x = encode(x, inject, into)
            if index == 0 and self.embedding is not None:
                x += self.embedding(x.shape[-2]).to(x.dtype)
            skips.append(x)
        return skips, skips_time[:outer], lengths

    def _decode(
        self, skips: list[Tensor], skips_time: list[Tensor], lengths: list[int]
    ) -> tuple[Tensor, Tensor]:
        """Run both decoders; each layer adds to the skip of the next, and the lists are emptied."""
        innermost = len(self.time_decoder) - 1
        x = skips.pop()
        xt: Tensor | None = None
        for index in reversed(range(self.config.depth)):
            if index < innermost:
                xt = self._decode_wave(index, xt, skips_time, lengths)
            decode = self.freq_decoder[self.config.depth - 1 - index]
            onto = skips.pop() if skips else self._place_of_spectrum(x)
            x, before_last = decode(x, None, lengths[index], onto)
            if index == innermost:
                xt = self._decode_wave(index, before_last, skips_time, lengths)
        assert xt is not None
        return x, xt

    def _decode_wave(
        self, index: int, xt: Tensor | None, skips: list[Tensor], lengths: list[int]
    ) -> Tensor:
        decode = self.time_decoder[len(self.time_decoder) - 1 - index]
        wave, _ = decode(xt, None, lengths[index], skips.pop() if skips else None)
        return wave

    def _place_of_spectrum(self, x: Tensor) -> Tensor:
        """Zeros for what the last layer makes of x, its first skip: where the others were."""
        batch, own, bins, steps = x.shape
        channels = 2 * self.channels * len(self.sources)
        shape = (batch, channels, bins * self.freq_encoder[0].shape.stride, steps)
        return self._workspace.take([(batch, own, bins, steps), shape])[1].zero_()


def _shapes(layers: Sequence[TunedEncoder], of: Sequence[int]) -> list[tuple[int, int, int, int]]:
    """Of what layers make of something of shape [B, C, F, T], one after the other."""
    batch, _, bins, steps = of
    shapes = []
    for layer in layers:
        if layer.shape.along_frequency:
            bins //= layer.shape.stride
        else:
            steps = -(-steps // layer.shape.stride)
        shapes.append((batch, layer.channels, bins, steps))
    return shapes


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
