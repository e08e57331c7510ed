"""The one way through which all audio passes: blocks of a mixture in, blocks of its stems out.

::

    block ─ finite? ─┬─ channels ─ to network rate ─ StemStream ─ to own rate ─ channels ─┬─ stems
                     │                                                                    │
                     └──────────────── mixture, waiting for its stems ─────── consistency ┘

There are no threads, clocks, devices or sockets in here: what comes out depends on the samples that
went in and on their order, never on how they were cut into blocks or on when they came.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from streamsep.audio.channels import ChannelLayout
from streamsep.audio.resample import StreamResampler
from streamsep.audio.sanitize import replace_non_finite
from streamsep.engine.consistency import ConsistencyName, make_consistency
from streamsep.engine.fifo import SampleFifo
from streamsep.engine.refinement import RefinementName, make_refinement
from streamsep.engine.stem_stream import LOUDEST, SegmentStream, ShiftedStream, StemStream
from streamsep.engine.wrapping import NormalisedSeparator
from streamsep.errors import ConfigError, InputError

if TYPE_CHECKING:
    from streamsep.engine.separator import Separator
    from streamsep.engine.tiling import OverlapConfig, StreamConfig

__all__ = ["Latency", "StreamingSeparator"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Where a stream's latency comes from, in samples at the stream's own rate.

    Attributes:
        network: the hop and the look-ahead (for files: a whole segment), rounded up.
        resampling: what the filters of both resamplers hold back.
    """

    network: int
    resampling: int

    @property
    def total(self) -> int:
        """The sum."""
        return self.network + self.resampling


class StreamingSeparator:
    """Separates a stream of any rate and channel count into stems of the same.

    Args:
        separator: what separates.
        config: `StreamConfig` for live streams, `OverlapConfig` for files.
        sample_rate: samples per second of the stream; None for the separator's.
        channels: channels C of the stream; None for the separator's. Mono is given to a stereo
            network twice and comes back mono; more channels than the network's are separated in
            groups of consecutive ones.
        consistency: ``off``; ``other``: the stem `other` takes what the stems lack of the mixture;
            ``energy``: all stems share it.
        refinement: ``off``; ``wiener``: within each segment the mixture is given out again in the
            proportions of the estimates. It costs no latency.
        shifts: average this many passes with random delays of up to half a second; 0 for one pass
            without delay.
        device: where the separator computes.
        seed: decides the shifts.
        incremental: let every hop of a live stream keep what the one before has computed, where
            the separator can: a fraction of the work, and nearly the same estimates. Others, and
            files, are separated as always.
        ahead: segments that are handed in before the stems of an earlier one are there, where the
            separator defers (see `DeferringSeparator`): it is never idle then, and what comes out
            is the same, so many hops later. For files: `latency` does not count it.

    Raises:
        ConfigError: the options do not fit together or do not fit the separator.
    """

    def __init__(
        self,
        separator: Separator,
        config: StreamConfig | OverlapConfig,
        *,
        sample_rate: int | None = None,
        channels: int | None = None,
        consistency: ConsistencyName = "off",
        refinement: RefinementName = "off",
        shifts: int = 0,
        device: str | torch.device = "cpu",
        seed: int = 0,
        incremental: bool = False,
        ahead: int = 0,
    ) -> None:
        if shifts < 0:
            raise ConfigError(f"shifts must be at least 0, got {shifts}")
        self.sources = separator.sources
        self.sample_rate = separator.sample_rate if sample_rate is None else sample_rate
        self.channels = separator.channels if channels is None else channels
        self._layout = ChannelLayout(self.channels, separator.channels)
        self._width = separator.channels
        inputs = self._layout.groups * self._width
        outputs = inputs * len(self.sources)
        self._to_network = StreamResampler(self.sample_rate, separator.sample_rate, inputs)
        self._to_stream = StreamResampler(separator.sample_rate, self.sample_rate, outputs)
        self._consistency = make_consistency(consistency, self.sources, self.sample_rate)
        tiling = config.tiling(separator.stride)
        refine = make_refinement(refinement)

        def make_stream() -> StemStream:
            return SegmentStream(
                separator,
                tiling,
                groups=self._layout.groups,
                device=torch.device(device),
                refinement=refine,
                incremental=incremental,
                ahead=ahead,
            )

        draw = random.Random(seed)
        self._delays = tuple(draw.randint(0, separator.sample_rate // 2) for _ in range(shifts))
        silence = separator.silence if isinstance(separator, NormalisedSeparator) else 0.0
        self._stream: StemStream = (
            ShiftedStream(make_stream, self._delays, silence) if shifts else make_stream()
        )
        self._mix = SampleFifo()
        self.reset()

    @property
    def latency(self) -> int:
        """Samples, at the stream's rate, between an input sample and the output depending on it."""
        return self.latency_terms.total

    @property
    def latency_terms(self) -> Latency:
        """The latency as a sum of named terms."""
        ratio = self.sample_rate / self._to_network.out_rate
        network = math.ceil(self._stream.latency * ratio)
        if self.sample_rate == self._to_network.out_rate:
            return Latency(network=network, resampling=0)
        # The grids of the two rates do not coincide: one sample more on each side is enough.
        filters = self._to_network.latency + math.ceil(self._to_stream.latency * ratio) + 2
        return Latency(network=network, resampling=filters)

    @property
    def wanted(self) -> int:
        """Samples, at the stream's rate, to push until more stems may come out, at least 1.

        With fewer, a push can only return nothing: whoever has them may as well gather them.
        """
        if self.sample_rate == self._to_network.out_rate:
            return self._stream.wanted
        # A resampler gives at most what is due, rounded up; what it holds back comes on top.
        due = self._to_network.emitted + self._stream.wanted
        first = (due - 1) * self.sample_rate // self._to_network.out_rate + 1
        return max(1, first - self._received)

    @property
    def delays(self) -> tuple[int, ...]:
        """Samples at the network's rate by which each pass of `shifts` moves the signal."""
        return self._delays

    def reset(self) -> None:
        """Drop the stream; the next block is the start of another."""
        self._stream.reset()
        self._to_network.reset()
        self._to_stream.reset()
        if self._consistency is not None:
            self._consistency.reset()
        self._mix.clear()
        self._received = 0
        self._returned = 0
        self.replaced_samples = 0

    def push(self, block: Tensor) -> Tensor:
        """Take in a block; return the stems that are finished.

        Args:
            block: float32 [C, t], t from 0. Samples that are not finite count as silence.

        Returns:
            float32 [S, C, n], n from 0: the stems from where the last call stopped. The first
            sample that comes out corresponds to the first that went in.

        Raises:
            InputError: the block has another shape or type.
        """
        block = self._checked(block)
        self._received += block.shape[-1]
        if self._consistency is not None:
            self._mix.push(block)
        grouped = self._layout.to_network(block).flatten(0, 1)
        return self._finish(self._separate(self._to_network.push(grouped)))

    def flush(self) -> Tensor:
        """End the stream: return the rest, so that as much came out as went in; be as new.

        Returns:
            float32 [S, C, n].
        """
        last = [self._separate(self._to_network.flush()), self._stream.flush()]
        resampled = [self._to_stream.push(stems.flatten(0, 2)) for stems in last]
        resampled.append(self._to_stream.flush())
        # Both resamplers round up, so the end may lie a sample past the input's, never before.
        missing = self._received - self._returned
        stems = self._made_consistent(
            self._unflattened(torch.cat(resampled, dim=-1))[..., :missing]
        )
        self.reset()
        return stems

    def _checked(self, block: Tensor) -> Tensor:
        if block.dim() != 2 or block.shape[0] != self.channels or not block.is_floating_point():
            raise InputError(
                f"expected a float block [C={self.channels}, t], got "
                f"{str(block.dtype).removeprefix('torch.')} {list(block.shape)}"
            )
        block, replaced = replace_non_finite(block.detach().to("cpu", torch.float32))
        self.replaced_samples += replaced
        # This also copies: the caller may use its memory for the next block.
        return block.clamp(-LOUDEST, LOUDEST)

    def _separate(self, flat: Tensor) -> Tensor:
        """From the network-rate mixture [G·N, t] to its finished stems [G, S, N, n]."""
        return self._stream.push(flat.reshape(self._layout.groups, self._width, flat.shape[-1]))

    def _finish(self, stems: Tensor) -> Tensor:
        """From finished stems [G, S, N, n] at the network's rate to the stream's [S, C, m]."""
        resampled = self._to_stream.push(stems.flatten(0, 2))
        return self._made_consistent(self._unflattened(resampled))

    def _unflattened(self, flat: Tensor) -> Tensor:
        """From [G·S·N, n] to [S, C, n]."""
        shape = (self._layout.groups, len(self.sources), self._width, flat.shape[-1])
        return self._layout.from_network(flat.reshape(shape))

    def _made_consistent(self, stems: Tensor) -> Tensor:
        self._returned += stems.shape[-1]
        if self._consistency is None or stems.shape[-1] == 0:
            return stems
        return self._consistency(self._mix.pop(stems.shape[-1]), stems)
