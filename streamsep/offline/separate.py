"""One track: read in blocks, separated by the streaming core, written in blocks.

Memory does not grow with the length of the track. A first pass measures mean and deviation of the
whole track, because a network given a track at its own level separates it as any other; a track
that is run through a live preset gets no such pass, for no live stream could.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from streamsep._version import __version__
from streamsep.audio.sanitize import replace_non_finite
from streamsep.audio.statistics import measure
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
from streamsep.offline.selection import StemSelector
from streamsep.offline.sinks import DirectSink, RescalingSink, StemSink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from streamsep.files import AudioReader
    from streamsep.models import LoadedModel
    from streamsep.offline.rendering import Renderer, Rendering

    Progress = Callable[[int, int | None], None]
    StemPath = Callable[[str, str], Path]

__all__ = [
    "SeparatedTrack",
    "separate_file",
    "separate_track",
    "stem_paths",
    "stem_selector",
]

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
        frames: samples per channel, of the source and of the stems; what is rendered with a tail is
            longer.
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
    model: LoadedModel | str | Path = "auto",
    out: str | Path = "separated",
    options: SeparationOptions | None = None,
    on_progress: Progress | None = None,
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
    if isinstance(model, str | Path):
        model = load_model(model, device=options.device)
    source = Path(source)
    layout = OutputLayout(Path(out), model.name)
    stem_path = partial(layout.stem_path, Path(source.stem), source)
    return separate_track(source, model, options, stem_path, on_progress)


def separate_track(
    source: Path,
    model: LoadedModel,
    options: SeparationOptions,
    stem_path: StemPath,
    on_progress: Progress | None = None,
    *,
    renderer: Renderer | None = None,
) -> SeparatedTrack:
    """Separate a file into stem files, which appear only when all are whole.

    Args:
        source: the file.
        model: the network.
        options: how, and what to write.
        stem_path: gives the file of a stem from its name and the extension.
        on_progress: called after every block with the samples done and, if known, the samples in
            all; what it raises ends the separation and leaves nothing behind.
        renderer: what is made of the stems, instead of writing those that the options ask for.

    Raises:
        InputError: the file cannot be read.
        OutputError: a stem cannot be written.
        ConfigError: the options do not fit the network or the file.
    """
    started = time.perf_counter()
    progress = on_progress or _ignore
    paths = stem_paths(renderer or stem_selector(model, options), options, stem_path)
    if renderer is None:
        model = model.restrict(options.needed_stems(model.sources))
        renderer = stem_selector(model, options)
    with open_audio(source) as reader:
        options.encoding.check(reader.sample_rate, reader.channels)
        _check_source_survives(source, paths)
        stream = _open_stream(reader, model, options, progress)
        for folder in {path.parent for path in paths.values()}:
            remove_leftovers(folder)
        with (
            renderer.open(reader.sample_rate, reader.channels) as rendering,
            _open_sink(paths, reader, model, options, source) as sink,
        ):
            frames, replaced = _stream_through(reader, stream, rendering, sink, progress)
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


def stem_selector(model: LoadedModel, options: SeparationOptions) -> Renderer:
    """What writes the stems that the options ask for.

    Raises:
        ConfigError: the network has no such stem.
    """
    return StemSelector(model.sources, options.two_stems, options.other_method)


def stem_paths(
    renderer: Renderer, options: SeparationOptions, stem_path: StemPath
) -> dict[str, Path]:
    """The files that `separate_track` would write, by the names of the stems.

    Raises:
        ConfigError: two stems would be the same file.
    """
    names = renderer.names
    paths = {name: stem_path(name, options.encoding.extension) for name in names}
    if len(set(paths.values())) < len(paths):
        raise ConfigError(
            f"the filename template gives several of {', '.join(names)} the same name; add {{stem}}"
        )
    return paths


def _ignore(done: int, total: int | None) -> None:
    """Nobody wants to know how far it is."""


def _check_source_survives(source: Path, paths: dict[str, Path]) -> None:
    for path in paths.values():
        # What cannot be looked at cannot be written either, and the writer says so better.
        with suppress(OSError):
            if path.samefile(source):
                raise ConfigError(
                    f"'{source}' would be overwritten by its own stem; choose another output "
                    "folder or filename template"
                )


def _stream_through(
    reader: AudioReader,
    stream: StreamingSeparator,
    rendering: Rendering,
    sink: StemSink,
    progress: Progress,
) -> tuple[int, int]:
    """Separate the whole track; return its samples, and how many of them were not finite."""
    read, written, replaced = 0, 0, 0
    for block in reader.blocks(BLOCK):
        clean, bad = replace_non_finite(block)
        read += clean.shape[-1]
        replaced += bad
        rendering.take_mix(clean)
        stems = _guarded(partial(stream.push, clean))
        sink.write(rendering.push(stems))
        written += stems.shape[-1]
        progress(written, reader.frames)
    sink.write(rendering.finish(_guarded(stream.flush)))
    # Also the last chance to stop before the files get their names.
    progress(read, read)
    return read, replaced


def _open_stream(
    reader: AudioReader, model: LoadedModel, options: SeparationOptions, progress: Progress
) -> StreamingSeparator:
    """The stream that the track goes through, after the first pass if there is to be one."""

    def first_pass() -> Iterator[Tensor]:
        for block in reader.blocks(BLOCK):
            progress(0, reader.frames)
            yield block

    separator: Separator = model
    tiling = options.tiling or OverlapConfig(segment=model.segment)
    if isinstance(tiling, OverlapConfig):
        statistics = measure(first_pass())
        separator = NormalisedSeparator(separator, statistics.mean, statistics.deviation)
    return StreamingSeparator(
        separator,
        tiling,
        sample_rate=reader.sample_rate,
        channels=reader.channels,
        consistency=options.consistency,
        refinement=options.refinement,
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
                        "title": f"{_as_text(source.stem)} ({name})",
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


def _as_text(name: str) -> str:
    """A file's name, with what is not text in it replaced."""
    return name.encode("utf-8", "replace").decode()


def _guarded(work: Callable[[], Tensor]) -> Tensor:
    """Run the network; a GPU without memory is the user's to solve, not a bug."""
    try:
        return work()
    except torch.OutOfMemoryError:
        raise ConfigError(
            "the GPU's memory is full: use a shorter --segment, fewer jobs (-j) or --device cpu"
        ) from None
