"""One track: read in blocks, separated by the streaming core, written in blocks.

Memory does not grow with the length of the track. A first pass measures mean and deviation of the
whole track, because a network given a track at its own level separates it as any other; a track
that is run through a live preset gets no such pass, for no live stream could.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from streamsep._version import __version__
from streamsep.engine import (
    NormalisedSeparator,
    OverlapConfig,
    Separator,
    StreamingSeparator,
)
from streamsep.errors import ConfigError
from streamsep.files import StemWriter, open_audio, remove_leftovers
from streamsep.models import load_model
from streamsep.offline.layout import OutputLayout
from streamsep.offline.options import SeparationOptions
from streamsep.offline.selection import StemSelection
from streamsep.offline.sinks import DirectSink, RescalingSink, StemSink
from streamsep.offline.statistics import measure

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from streamsep.files import AudioReader
    from streamsep.models import LoadedModel

__all__ = ["SeparatedTrack", "all_stems_exist", "separate_file", "separate_track"]

BLOCK = 1 << 16
"""Samples per block that is read; the stems do not depend on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeparatedTrack:
    """What came of a track.

    Attributes:
        source: the file that was separated.
        stems: the file of every stem that was written, by name.
        sample_rate: samples per second, of the source and of the stems.
        channels: channels, of the source and of the stems.
        frames: samples per channel, of the source and of the stems.
        elapsed_s: seconds it took.
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


def separate_file(
    source: str | Path,
    model: LoadedModel | str = "auto",
    out: str | Path = "separated",
    options: SeparationOptions | None = None,
    on_progress: Callable[[int, int | None], None] | None = None,
) -> SeparatedTrack:
    """Separate one file into `<out>/<model>/<track>/<stem>.<ext>`.

    Args:
        source: the file, in any format libsndfile reads, or ffmpeg where it is installed.
        model: a loaded network, or a name or path for `load_separator`.
        out: folder that takes the stems.
        options: how, and what to write; the defaults if None.
        on_progress: called now and then with the samples done and, if known, the samples in all.

    Raises:
        StreamSepError: the file, the network, the options or the folder cannot be used.
    """
    options = options or SeparationOptions()
    if isinstance(model, str):
        model = load_model(model, device=options.device)
    source = Path(source)
    layout = OutputLayout(Path(out), model.name)

    def stem_path(stem: str, ext: str) -> Path:
        return layout.stem_path(Path(source.stem), source, stem, ext)

    return separate_track(source, model, options, stem_path, on_progress)


def separate_track(
    source: Path,
    model: LoadedModel,
    options: SeparationOptions,
    stem_path: Callable[[str, str], Path],
    on_progress: Callable[[int, int | None], None] | None = None,
) -> SeparatedTrack:
    """Separate a file into stem files, which appear only when all are whole.

    Args:
        source: the file.
        model: the network.
        options: how, and what to write.
        stem_path: gives the file of a stem from its name and the extension.
        on_progress: called now and then with the samples done and, if known, the samples in all.

    Raises:
        InputError: the file cannot be read.
        OutputError: a stem cannot be written.
        ConfigError: the options do not fit the network or the file.
    """
    started = time.perf_counter()
    selection = StemSelection(model.sources, options.two_stems, options.other_method)
    with open_audio(source) as reader:
        options.encoding.check(reader.sample_rate, reader.channels)
        stream = _open_stream(reader, model, options)
        paths = {name: stem_path(name, options.encoding.extension) for name in selection.names}
        for folder in {path.parent for path in paths.values()}:
            remove_leftovers(folder)
        with _open_sink(paths, reader, model, options, source) as sink:
            frames, replaced = 0, 0
            for block in reader.blocks(BLOCK):
                frames += block.shape[-1]
                selection.take_mix(block)
                stems = _guarded(partial(stream.push, block))
                sink.write(selection(stems))
                if on_progress is not None:
                    on_progress(frames, reader.frames)
            replaced = stream.replaced_samples
            sink.write(selection(_guarded(stream.flush)))
            sink.commit()
        live = options.tiling is not None and not isinstance(options.tiling, OverlapConfig)
        return SeparatedTrack(
            source=source,
            stems=paths,
            sample_rate=reader.sample_rate,
            channels=reader.channels,
            frames=frames,
            elapsed_s=time.perf_counter() - started,
            latency=stream.latency if live else None,
            replaced_samples=replaced,
            overshoots=sink.overshoots,
        )


def all_stems_exist(
    model: LoadedModel, options: SeparationOptions, stem_path: Callable[[str, str], Path]
) -> bool:
    """Whether every file that `separate_track` would write is there. What is there is whole."""
    selection = StemSelection(model.sources, options.two_stems, options.other_method)
    extension = options.encoding.extension
    return all(stem_path(name, extension).is_file() for name in selection.names)


def _open_stream(
    reader: AudioReader, model: LoadedModel, options: SeparationOptions
) -> StreamingSeparator:
    """The stream that the track goes through, after the first pass if there is to be one."""
    separator: Separator = model
    tiling = options.tiling or OverlapConfig(segment=model.segment)
    if isinstance(tiling, OverlapConfig):
        statistics = measure(reader.blocks(BLOCK))
        separator = NormalisedSeparator(separator, statistics.mean, statistics.deviation)
    return StreamingSeparator(
        separator,
        tiling,
        sample_rate=reader.sample_rate,
        channels=reader.channels,
        consistency=options.consistency,
        shifts=options.shifts,
        device=options.device,
        seed=options.seed,
    )


def _open_sink(
    paths: dict[str, Path],
    reader: AudioReader,
    model: LoadedModel,
    options: SeparationOptions,
    source: Path,
) -> StemSink:
    writers: list[StemWriter] = []
    try:
        for name, path in paths.items():
            writers.append(
                StemWriter(
                    path,
                    reader.sample_rate,
                    reader.channels,
                    options.encoding,
                    frames=reader.frames,
                    metadata={
                        "title": f"{source.stem} ({name})",
                        "comment": f"separated by streamsep {__version__} with {model.name}",
                    },
                )
            )
    except BaseException:
        for writer in writers:
            writer.abort()
        raise
    if options.effective_clip_mode == "rescale":
        return RescalingSink(writers, writers[0].path.parent)
    return DirectSink(writers)


def _guarded(work: Callable[[], Tensor]) -> Tensor:
    """Run the network; a GPU without memory is the user's to solve, not a bug."""
    try:
        return work()
    except torch.OutOfMemoryError:
        raise ConfigError(
            "the GPU's memory is full: use a shorter --segment, fewer jobs (-j) or --device cpu"
        ) from None
