r"""Hybrid Demucs that follows a stream: what the last hop computed, the next one keeps.

A live stream gives the network a window of three seconds for every hop of a twentieth, and all but
the hop is as it was. Only two things tie a new hop to the whole window: the statistics of the norms
and the inner layers, where the LSTM and the attention look all over it. Hence::

    spectrogram ─ E0 ─ E1 ─ E2 ─ E3 ─┐                  ┌─ D3 ─ D2 ─ D1 ─ D0 ─ iSTFT ─┐
                                     E4 ─ E5 ─ D5 ─ D4 ─┤                            (+)
    waveform    ─ T0 ─ T1 ─ T2 ─ T3 ─┘                  └─ U3 ─ U2 ─ U1 ─ U0 ─────────┘
                └── only the end ───┘ └ whole window ──┘ └─ only what is emitted ─────┘
                   of the window                            and what it looks at

- The outer encoder layers keep their windows (`encoders.py`), but for their ends, which the move
  changes, and for all that the outer decoders look at. What is kept was normalised with the
  statistics of its day, so a sweep goes over it, some frames with every hop, and makes it new. The
  statistics themselves are those of today, as far as they can be had cheaply (`branches.py`).
- The inner layers are computed anew; they see one step for every 1024 or 2048 samples.
- The outer decoder layers have no norm. They are cropped to the samples that the stream will emit,
  and to as much around them as the convolutions see: that changes nothing.
- The upper branch and the lower one are computed side by side, by a thread each.

So the estimates are those of the whole network but for what the kept frames remember: statistics
that are not the newest. It hardly matters to the inner layers, which look at all frames; it matters
to the norms near the end, whose statistics are made of those frames, and most where a bin is nearly
silent. `benchmarks/incremental.py` measures what that amounts to. All layers are those of the
`tuned` network, for which the weights are packed once and shared by all streams.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import torch

from streamsep.devices.side_by_side import side_by_side, with_threads
from streamsep.models.incremental.encoders import MovingLayer
from streamsep.models.incremental.window import Window, WindowStatistics, gathered
from streamsep.models.tuned.hybrid import TunedHybridDemucs
from streamsep.models.tuned.tune import tuned_beside

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from torch import Tensor

    from streamsep.models.hybrid_config import HybridDemucsConfig
    from streamsep.models.hybrid_demucs import HybridDemucs

    _Take: TypeAlias = Callable[[Sequence[slice]], Tensor]

__all__ = ["HybridFollower"]

_BEYOND = 2
"""Frames on either side of a sample's own that it takes part in: windows are four hops long, and
one and a half of them lie on each side of the hop in the middle."""

_SWEPT_WITHIN = 6
"""Frames within whose time the sweep has gone over all that is kept; eight would be a tenth less
work, with older statistics. From a hop of 8192 on all of the window is computed anew."""

_WIDE = 32
"""Channels of the outermost layer from which on one thread for each branch is not enough. Below,
operations are so short that a second thread gains a tenth at best (the starter's inner layers: 23
ms for 24), and loses tenfold whenever another program wants one of the processors."""


_BRANCHES = 2
"""The spectrogram's and the waveform's."""


class _Teams(NamedTuple):
    """How many of torch's threads each has; with none, the second branch follows the first."""

    own: int
    beside: int
    joined: int


class _Moments(NamedTuple):
    """Of what goes into a branch: mean and deviation, [B, 1, 1, 1]."""

    mean: Tensor
    deviation: Tensor


class HybridFollower:
    """Separates the segments of one stream, of which each knows the ones before.

    Args:
        network: in evaluation mode; plain ones are tuned once for all that follow them.
        segment: samples of a segment, a multiple of the network's stride.
        hop: samples between the starts of segments, likewise.
        wanted: the samples of a segment whose estimates it gives.
    """

    def __init__(
        self,
        network: HybridDemucs | TunedHybridDemucs,
        *,
        segment: int,
        hop: int,
        wanted: slice,
    ) -> None:
        if not isinstance(network, TunedHybridDemucs):
            network = tuned_beside(network)
        self._network = network
        self._wanted = wanted
        self._frame = network.config.n_fft // 4
        self._frames = segment // self._frame
        self._hop_frames = hop // self._frame
        self._origin: HybridFollower | None = None
        self.reset()

    @staticmethod
    def fits(config: HybridDemucsConfig) -> bool:
        """Whether a network of this shape can be followed.

        The published variants that cannot have other spectrograms, weights by band, or norms in
        their outer layers.
        """
        outer = config.merge_layer
        return (
            TunedHybridDemucs.fits(config)
            and not config.old_padding
            and config.branch_depth > 0
            and min(config.norm_starts, config.branch_lstm_starts) >= outer
            and config.branch_attention_starts >= outer
        )

    @property
    def most_threads(self) -> int | None:
        """How many of torch's threads it makes use of; None for all."""
        narrow = self._network.config.hidden < _WIDE and self._network.device.type == "cpu"
        return _BRANCHES if narrow else None

    def reset(self) -> None:
        """Forget the stream; the next segment is the first of another."""
        self._begun = False
        self._swept_to = 0
        self._spectrum = Window(self._frames)
        self._statistics = WindowStatistics(self._frames)
        self._outer: list[tuple[MovingLayer, MovingLayer]] = []
        network, merge = self._network, self._network.config.merge_layer
        changing, changing_time, steps = (_BEYOND, _BEYOND), (0, 0), self._frame
        for index in range(merge + 1):
            steps //= network.config.stride
            length = self._frames * steps
            time = MovingLayer(network.time_encoder[index], length, steps, changing_time)
            changing_time = time.changing
            if index == merge:
                before, after = zip(changing, changing_time, strict=True)
                changing = max(before), max(after)
            offset = None
            if index == 0 and network.embedding is not None:
                offset = network.embedding(network.config.bins[1]).to(network.dtype)
            freq = MovingLayer(
                network.freq_encoder[index],
                self._frames,
                1,
                changing,
                convolve_only=index == merge,
                offset=offset,
            )
            changing = freq.changing
            self._outer.append((freq, time))
        self._renew_what_is_seen()

    def _renew_what_is_seen(self) -> None:
        """Let no kept step lie where the outer decoders look, or where what they see comes from."""
        merge = self._network.config.merge_layer
        seen = self._frames - self._around(_BEYOND + merge * self._network.config.context).start
        seen_time = self._frames - self._around(self._wave_margin()).start
        looked = looked_time = 0
        for index, (freq, time) in reversed(list(enumerate(self._outer))):
            steps = self._frame // self._network.config.stride ** (index + 1)
            looked = freq.renew(max(looked, seen), self._hop_frames)
            looked_time = time.renew(max(looked_time, seen_time * steps), self._hop_frames)

    def begin_as(self, other: HybridFollower) -> None:
        """Let this and all later streams begin in the silence that another follower has heard.

        Args:
            other: of the same network and segment, of a batch of one; it must not move on.
        """
        self._origin = other

    def __call__(self, segment: Tensor, hops: int = 1) -> Tensor:
        """Separate the next segment.

        Args:
            segment: float32 [B, C, T].
            hops: how many hops it lies after the one before; more than 1 if some were left out.

        Returns:
            The wanted samples of its stems, [B, S, C, wanted].
        """
        segment = segment.to(self._network.device)
        moved = min(self._frames, self._begin(len(segment)) + hops * self._hop_frames)
        teams = self._teams()
        stems = with_threads(teams.own, partial(self._separate, segment, moved, teams))
        self._network.settle()
        return stems

    def _separate(self, segment: Tensor, moved: int, teams: _Teams) -> Tensor:
        swept = self._sweep(moved)
        of_spectrum, of_wave = side_by_side(
            partial(self._advance_spectral_encoders, segment, moved, swept),
            partial(self._advance_wave_encoders, segment, moved, swept),
            second_threads=teams.beside,
        )
        x, xt, length = with_threads(
            teams.joined, partial(self._through_inner_layers, moved, swept)
        )
        stems, from_wave = side_by_side(
            partial(self._spectral_stems, x, of_spectrum),
            partial(self._wave_stems, xt, length, of_wave),
            second_threads=teams.beside,
        )
        return stems.add_(from_wave)

    def _teams(self) -> _Teams:
        """How torch's threads of this one are shared out among the branches."""
        count = torch.get_num_threads()
        if count == 1 or self._network.device.type != "cpu":
            return _Teams(own=count, beside=0, joined=count)
        if self.most_threads == _BRANCHES:
            return _Teams(own=1, beside=1, joined=1)
        own = count - count // 2
        # Larger teams for the inner layers alone would be more threads than there are processors.
        return _Teams(own=own, beside=count // 2, joined=max(2, own))

    def _normalised(self, x: Tensor, moments: _Moments, stretches: Sequence[slice]) -> Tensor:
        """Some stretches of x [B, C, F, T], as the outermost layers take them."""
        taken = gathered(x, stretches) - moments.mean
        return taken.div_(1e-5 + moments.deviation).to(self._network.dtype)

    def _begin(self, batch: int) -> int:
        """Have a window to go on from; return by how many frames a hop moves it further at first.

        A stream's first segment holds more sound than a hop: the look-ahead, too.
        """
        if self._begun:
            return 0
        self._begun = True
        if self._origin is None:
            return self._frames
        self._take_over(self._origin, batch)
        return self._frames - self._wanted.start // self._frame - self._hop_frames

    def _take_over(self, other: HybridFollower, batch: int) -> None:
        self._spectrum.begin_as(other._spectrum, batch)
        self._statistics.begin_as(other._statistics, batch)
        for own, others in zip(self._outer, other._outer, strict=True):
            for layer, of_other in zip(own, others, strict=True):
                layer.begin_as(of_other, batch)

    def _advance_spectral_encoders(self, segment: Tensor, moved: int, swept: slice) -> _Moments:
        """Move the spectrogram and what the outer layers make of it alone."""
        moments = self._advance_spectrum(segment, moved)
        take: _Take = partial(self._normalised, self._spectrum.steps, moments)
        for layer, _ in self._outer[:-1]:
            layer.advance(take, moved, swept)
            take = layer.output.take
        return moments

    def _advance_wave_encoders(self, segment: Tensor, moved: int, swept: slice) -> _Moments:
        """Move what the outer layers make of the waveform."""
        wave = segment[:, :, None]
        mean = wave.mean(dim=(1, 2, 3), keepdim=True)
        moments = _Moments(mean, wave.std(dim=(1, 2, 3), keepdim=True))
        take: _Take = partial(self._normalised, wave, moments)
        for _, layer in self._outer:
            layer.advance(take, moved, swept)
            take = layer.output.take
        return moments

    def _advance_spectrum(self, segment: Tensor, moved: int) -> _Moments:
        """Move the spectrogram."""
        for each in (self._spectrum, self._statistics):
            each.move(moved)
        count = min(self._frames, moved + _BEYOND)
        self._analyse(segment, slice(self._frames - count, self._frames))
        if count < self._frames:
            self._analyse(segment, slice(0, _BEYOND))
        mean, variance = self._statistics.moments(correction=1)
        shape = (-1, 1, 1, 1)
        return _Moments(mean.view(shape), variance.sqrt().view(shape))

    def _analyse(self, segment: Tensor, frames: slice) -> None:
        """Compute some frames of the spectrogram, from or up to an end of the window."""
        start, stop = max(0, frames.start - _BEYOND), min(self._frames, frames.stop + _BEYOND)
        piece = segment[..., start * self._frame : stop * self._frame]
        spectrum = self._network.spectrogram.analyse(piece)
        own = spectrum[..., frames.start - start : frames.stop - start]
        x = self._network.representation.to_channels(own)
        self._spectrum.write(frames.start, x)
        self._statistics.write(frames.start, x.flatten(1, 2))

    def _sweep(self, moved: int) -> slice:
        """The kept frames to compute anew: from the right to the left of the window, and again.

        What has been swept moves on to the left before the next sweep adjoins it. In a window too
        short for the frequency branch to keep any of it, the time branch keeps nothing either: that
        costs it little, and what is computed is exact then.
        """
        begin = min(layer.kept.start for pair in self._outer for layer in pair)
        end = max(layer.kept.stop for pair in self._outer for layer in pair)
        hops = -(-_SWEPT_WITHIN // self._hop_frames)
        count = max(0, -(-(end - begin + (1 - hops) * self._hop_frames) // hops))
        stop = self._swept_to - moved
        if stop <= begin:
            stop = end
        self._swept_to = stop - count
        swept = slice(stop - count, stop)
        keeps = all(freq.keeps(moved, swept) for freq, _ in self._outer[:-1])
        return swept if keeps else slice(begin, end)

    def _through_inner_layers(self, moved: int, swept: slice) -> tuple[Tensor, Tensor, int]:
        """Join the branches, E4 to D4.

        Returns:
            What the outer decoders begin with, windows of both branches, and how many steps the
            first of the waveform's makes of its own.
        """
        network, merge = self._network, self._network.config.merge_layer
        (*_, (below, below_time)), (joined, time) = self._outer[:-1], self._outer[-1]
        joined.advance(below.output.take, moved, swept, time.output)
        innermost = network.freq_encoder[merge:]
        skips = [innermost[0].finish(joined.output.steps)]
        lengths = [below_time.output.length]
        for encode in innermost[1:]:
            lengths.append(skips[-1].shape[-1])
            skips.append(encode(skips[-1]))
        x: Tensor | None = None
        for decode in network.freq_decoder[: len(innermost)]:
            x, before_last = decode(x, skips.pop(), length := lengths.pop())
        assert x is not None
        return x, before_last, length

    def _spectral_stems(self, x: Tensor, moments: _Moments) -> Tensor:
        """Decode the spectrogram around what is wanted: [B, S, C, wanted]."""
        network, config = self._network, self._network.config
        # A sample takes part in the frames up to two before and two after its own; every layer
        # looks at some more.
        emitted = self._around(_BEYOND)
        before = slice(0, self._frames)
        for index in reversed(range(config.merge_layer)):
            seen = self._around(_BEYOND + (index + 1) * config.context)
            x = x[..., seen.start - before.start : seen.stop - before.start]
            skip = self._outer[index][0].output.steps[..., seen]
            x, _ = network.freq_decoder[config.depth - 1 - index](x, skip, 0)
            before = seen
        x = x[..., emitted.start - before.start : emitted.stop - before.start].float()
        x = (x * moments.deviation + moments.mean).reshape(
            len(x), len(network.sources), -1, *x.shape[2:]
        )
        spectra = network.representation.to_spectrograms(x, x)
        begin = emitted.start * self._frame
        waves = network.spectrogram.synthesise(spectra, emitted.stop * self._frame - begin)
        return waves[..., self._wanted.start - begin : self._wanted.stop - begin]

    def _wave_stems(self, xt: Tensor, length: int, moments: _Moments) -> Tensor:
        """Decode the waveform around what is wanted: [B, S, C, wanted]."""
        network, merge = self._network, self._network.config.merge_layer
        xt, _ = network.time_decoder[0](xt, None, length)
        seen = self._around(self._wave_margin())
        steps = self._frame // network.config.stride**merge
        xt = xt[..., seen.start * steps : seen.stop * steps]
        for index in reversed(range(merge)):
            skip = self._outer[index][1].output.steps[..., seen.start * steps : seen.stop * steps]
            steps *= network.config.stride
            length = (seen.stop - seen.start) * steps
            xt, _ = network.time_decoder[merge - index](xt, skip, length)
        begin = seen.start * self._frame
        wanted = slice(self._wanted.start - begin, self._wanted.stop - begin)
        stems = xt[:, :, 0, wanted].float()
        stems = stems.reshape(len(xt), len(network.sources), network.channels, -1)
        return stems * moments.deviation + moments.mean

    def _around(self, margin: int) -> slice:
        """The frames of what is wanted and some around them, within the window."""
        first = self._wanted.start // self._frame - margin
        last = -(-self._wanted.stop // self._frame) + margin
        return slice(max(0, first), min(self._frames, last))

    def _wave_margin(self) -> int:
        """Frames beside what is wanted that the waveform's outer decoders look at."""
        config = self._network.config
        seen = 0
        for _ in range(config.merge_layer):
            seen = (seen + config.context) * config.stride + config.kernel_size // 4
        return -(-seen // self._frame)
