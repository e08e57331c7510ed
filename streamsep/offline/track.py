"""The way of one track: read in blocks, separated by the streaming core, written, all at once.

Memory does not grow with the length of the track. A first pass measures mean and deviation of the
whole track, because a network given a track at its own level separates it as any other; a track
that is run through a live preset gets no such pass, for no live stream could.

Four threads work on a track. One decodes (`read_ahead`), one resamples, cuts segments and joins
their estimates, the network's own computes (`SharedNetwork`), and one encodes (`write_behind`).
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamsep.audio.sanitize import replace_non_finite
from streamsep.audio.statistics import measure
from streamsep.engine import NormalisedSeparator, OverlapConfig, StreamingSeparator
from streamsep.errors import ConfigError
from streamsep.files import open_audio, remove_leftovers
from streamsep.offline.pipeline import read_ahead, write_behind
from streamsep.offline.sinks import open_sink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from torch import Tensor

    from streamsep.audio.statistics import TrackStatistics
    from streamsep.engine import Separator, StreamConfig
    from streamsep.files import AudioReader
    from streamsep.offline.options import SeparationOptions
    from streamsep.offline.rendering import Renderer, Rendering
    from streamsep.offline.shared_network import Seat
    from streamsep.offline.sinks import StemSink

    Progress = Callable[[int, int | None], None]

__all__ = ["SeparatedTrack", "TrackSeparation"]

BLOCK = 1 << 16
"""Samples per block that is read; the stems do not depend on it."""

HOPS_WAITING = 2
"""Stems come out a hop at a time, some ten megabytes: few of them may wait to be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeparatedTrack:
    """What came of a track.

    Attributes:
        source: the file that was separated.
        stems: the file of every stem that was written, by name.
        sample_rate: samples per second, of the source and of the stems.
        channels: channels, of the source and of the stems.
        frames: samples per channel, of the source and of the stems; what is rendered with a tail is
            longer.
        elapsed_s: seconds it took, but for those in which the network was at other tracks.
        latency: samples by which the stems of a live stream would have been late; None unless a
            live tiling was asked for.
        replaced_samples: samples of the source that were not finite and count as silence.
        overshoots: samples of the stems beyond full scale.
    """

    source: Path
    stems: dict[str, Path]
    sample_rate: int
    channels: int
    frames: int
    elapsed_s: float
    latency: int | None
    replaced_samples: int
    overshoots: int

    @property
    def rtf(self) -> float:
        """Real-time factor: processing time over audio time."""
        return self.elapsed_s * self.sample_rate / self.frames


@dataclass(frozen=True, slots=True)
class TrackSeparation:
    """What is to be done to a track; the same however often it has to begin again.

    Attributes:
        source: the file.
        model: name of the network.
        options: how, and what to write.
        renderer: what is made of the stems.
        seat: where the network is.
        progress: is told how far it is.
    """

    source: Path
    model: str
    options: SeparationOptions
    renderer: Renderer
    seat: Seat
    progress: Progress

    def run(self, paths: dict[str, Path], tiling: OverlapConfig | StreamConfig) -> SeparatedTrack:
        """Separate the track with a tiling, from its first sample to the names of its files."""
        started_s = time.perf_counter()
        with open_audio(self.source) as reader:
            self.options.encoding.check(reader.sample_rate, reader.channels)
            _check_source_survives(self.source, paths)
            stream = self._open_stream(reader, tiling)
            for folder in {path.parent for path in paths.values()}:
                remove_leftovers(folder)
            with (
                self.renderer.open(reader.sample_rate, reader.channels) as rendering,
                open_sink(paths, reader, self.model, self.options) as sink,
            ):
                frames, replaced = self._stream_through(reader, stream, rendering, sink)
                sink.commit()
            return SeparatedTrack(
                source=self.source,
                stems=paths,
                sample_rate=reader.sample_rate,
                channels=reader.channels,
                frames=frames,
                elapsed_s=time.perf_counter() - started_s,
                latency=None if isinstance(tiling, OverlapConfig) else stream.latency,
                replaced_samples=replaced,
                overshoots=sink.overshoots,
            )

    def _open_stream(
        self, reader: AudioReader, tiling: OverlapConfig | StreamConfig
    ) -> StreamingSeparator:
        """The stream that the track goes through, after the first pass if there is to be one."""
        separator: Separator = self.seat
        if isinstance(tiling, OverlapConfig):
            statistics = self._first_pass(reader)
            separator = NormalisedSeparator(separator, statistics.mean, statistics.deviation)
        return StreamingSeparator(
            separator,
            tiling,
            sample_rate=reader.sample_rate,
            channels=reader.channels,
            consistency=self.options.consistency,
            refinement=self.options.refinement,
            shifts=self.options.shifts,
            seed=self.options.seed,
            incremental=self.options.effective_incremental,
            ahead=self.seat.network.ahead,
        )

    def _first_pass(self, reader: AudioReader) -> TrackStatistics:
        with read_ahead(reader.blocks(BLOCK)) as blocks:

            def watched() -> Iterator[Tensor]:
                for block in blocks:
                    self.progress(0, reader.frames)
                    yield block

            return measure(watched())

    def _stream_through(
        self,
        reader: AudioReader,
        stream: StreamingSeparator,
        rendering: Rendering,
        sink: StemSink,
    ) -> tuple[int, int]:
        """Separate the whole track; return its samples, and how many of them were not finite."""

        def write(step: tuple[Tensor, Tensor]) -> None:
            block, stems = step
            rendering.take_mix(block)
            sink.write(rendering.push(stems))

        read, separated, replaced = 0, 0, 0
        with (
            read_ahead(map(replace_non_finite, reader.blocks(BLOCK))) as blocks,
            write_behind(write, depth=HOPS_WAITING) as hand_on,
        ):
            for block, bad in blocks:
                read += block.shape[-1]
                replaced += bad
                stems = stream.push(block)
                separated += stems.shape[-1]
                hand_on((block, stems))
                self.progress(separated, reader.frames)
            last = stream.flush()
        sink.write(rendering.finish(last))
        # Also the last chance to stop before the files get their names.
        self.progress(read, read)
        return read, replaced


def _check_source_survives(source: Path, paths: dict[str, Path]) -> None:
    for path in paths.values():
        # What cannot be looked at cannot be written either, and the writer says so better.
        with suppress(OSError):
            if path.samefile(source):
                raise ConfigError(
                    f"'{source}' would be overwritten by its own stem; choose another output "
                    "folder or filename template"
                )
