"""One track: which network, which files, and what happens when memory runs out."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from streamsep.devices.out_of_memory import is_out_of_memory, release_memory, trim_heaps
from streamsep.engine import OverlapConfig, StreamConfig
from streamsep.errors import ConfigError
from streamsep.models import load_model
from streamsep.models.file_segments import segments_at_once
from streamsep.offline.layout import OutputLayout
from streamsep.offline.options import SeparationOptions
from streamsep.offline.selection import StemSelector
from streamsep.offline.shared_network import LessRoomError, Room, SharedNetwork
from streamsep.offline.shared_tiling import SharedTiling
from streamsep.offline.track import SeparatedTrack, TrackSeparation

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamsep.models import LoadedModel
    from streamsep.offline.rendering import Renderer
    from streamsep.offline.shared_network import Seat
    from streamsep.offline.track import Progress

    StemPath = Callable[[str, str], Path]

__all__ = [
    "SeparatedTrack",
    "separate_file",
    "separate_track",
    "share_network",
    "stem_paths",
    "stem_selector",
]


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
        model = load_model(model, device=options.device, precision=options.precision)
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
    seat: Seat | None = None,
) -> SeparatedTrack:
    """Separate a file into stem files, which appear only when all are whole.

    If memory runs out it begins again with shorter segments, with a warning in the log.

    Args:
        source: the file.
        model: the network.
        options: how, and what to write.
        stem_path: gives the file of a stem from its name and the extension.
        on_progress: called after every block with the samples done and, if known, the samples in
            all; what it raises ends the separation and leaves nothing behind.
        renderer: what is made of the stems, instead of writing those that the options ask for.
        seat: at a network that `share_network` gave for the same model, options and renderer; None
            for a track alone.

    Raises:
        InputError: the file cannot be read.
        OutputError: a stem cannot be written.
        ConfigError: the options do not fit the network or the file, or the memory does not suffice.
    """
    if seat is None:
        with share_network(model, options, renderer=renderer) as network:
            return separate_track(
                source,
                model,
                options,
                stem_path,
                on_progress,
                renderer=renderer,
                seat=network.seat(),
            )
    watch = seat.watch()
    renderer = renderer or StemSelector(seat.sources, options.two_stems, options.other_method)
    paths = stem_paths(renderer, options, stem_path)
    separation = TrackSeparation(
        source, model.name, options, renderer, seat, on_progress or _ignore
    )
    while True:
        tiling = seat.network.tiling.current
        again = False
        try:
            track = separation.run(paths, tiling)
        except LessRoomError:
            again = True
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        else:
            return replace(track, elapsed_s=watch.elapsed_s)
        finally:
            seat.leave()
            trim_heaps()
        release_memory()
        if not again:
            seat.network.tiling.shorten(tiling)


def share_network(
    model: LoadedModel,
    options: SeparationOptions,
    *,
    renderer: Renderer | None = None,
    tracks: int = 1,
) -> SharedNetwork:
    """A network from which tracks that are separated alike can have seats; a context manager.

    Args:
        model: the network.
        options: how the tracks are separated.
        renderer: what is made of their stems, instead of writing those that the options ask for.
        tracks: how many have a seat at the same time; as many threads compute, or more where more
            of the network's segments are best computed beside each other.
    """
    if renderer is None:
        model = model.restrict(options.needed_stems(model.sources))
    tiling = options.tiling or OverlapConfig(segment=model.segment, overlap=model.overlap)
    batch = options.effective_batch
    workers = tracks
    followed = isinstance(tiling, StreamConfig) and options.effective_incremental
    if batch == 1 and not followed:  # a stream's hops come one after the other
        workers = max(tracks, segments_at_once(model.separator, tiling.segment))
    return SharedNetwork(model, SharedTiling(tiling, model), Room(batch, workers, tracks))


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
