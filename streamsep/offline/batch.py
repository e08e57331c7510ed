"""Many tracks, several at a time; a bad one does not stop the others."""

from __future__ import annotations

import os
import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from streamsep.errors import ConfigError, StreamSepError
from streamsep.files import remove_leftovers
from streamsep.offline.layout import OutputLayout, alike, track_names
from streamsep.offline.separate import (
    SeparatedTrack,
    separate_track,
    share_network,
    stem_paths,
    stem_selector,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from streamsep.files import FoundAudio
    from streamsep.models import LoadedModel
    from streamsep.offline.options import SeparationOptions
    from streamsep.offline.rendering import Renderer
    from streamsep.offline.separate import StemPath
    from streamsep.offline.shared_network import Seat, SharedNetwork

__all__ = ["BatchObserver", "TrackOutcome", "separate_batch", "tracks_under_way"]


@dataclass(frozen=True, slots=True)
class TrackOutcome:
    """How one track of a batch ended.

    Attributes:
        source: the file.
        result: what came of it, or None.
        error: what went wrong, without its traceback, or None. With neither, the track was skipped.
    """

    source: Path
    result: SeparatedTrack | None = None
    error: StreamSepError | None = None


class BatchObserver(Protocol):
    """Is told how a batch is getting on; called from several threads."""

    def started(self, index: int, source: Path) -> None:
        """Track number `index` has begun."""

    def advanced(self, index: int, done: int, total: int | None) -> None:
        """So many samples of the track are done, of so many in all if that is known."""

    def ended(self, index: int, outcome: TrackOutcome) -> None:
        """The track is done or has failed."""


class _Cancelled(BaseException):
    """Unwinds a worker thread after Ctrl-C; no handler for errors may swallow it."""


def separate_batch(
    found: Sequence[FoundAudio],
    model: LoadedModel,
    options: SeparationOptions,
    layout: OutputLayout,
    *,
    jobs: int = 1,
    skip_existing: bool = False,
    observer: BatchObserver | None = None,
    renderer: Renderer | None = None,
) -> list[TrackOutcome]:
    """Separate tracks; each fails or succeeds on its own.

    The tracks share one network. On the CPU the cores are divided among the jobs. One track more
    than there are jobs is under way, so that the network has work while another ends; where the
    network computes batches, as many tracks as may be needed to fill one.

    Args:
        found: the files.
        model: the network.
        options: how, and what to write.
        layout: where the stems go.
        jobs: tracks separated at the same time, at least 1.
        skip_existing: leave out tracks whose stems are all there already; such stems are whole.
        observer: is told how it is getting on.
        renderer: what is made of the stems, instead of writing those that the options ask for.

    Returns:
        One outcome per file, in the order of the files.

    Raises:
        ConfigError: jobs is less than 1, the network has no such stem, or the layout would give
            stems of different tracks the same name, or that of a track. Nothing has been done then.
        KeyboardInterrupt: Ctrl-C; the tracks that were under way leave nothing behind.
    """
    if jobs < 1:
        raise ConfigError(f"jobs must be at least 1, got {jobs}")
    batch = _Batch(found, model, options, layout, observer, renderer, skip_existing=skip_existing)
    under_way = tracks_under_way(len(found), jobs, options)
    jobs = min(jobs, max(1, len(found)))
    with (
        ThreadPoolExecutor(under_way, "separate") as pool,
        share_network(model, options, renderer=renderer, tracks=jobs) as network,
    ):
        try:
            return batch.run(pool, network)
        except BaseException:
            batch.cancelled.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def tracks_under_way(tracks: int, jobs: int, options: SeparationOptions) -> int:
    """How many tracks of a batch are under way at the same time, at most; at least 1.

    Args:
        tracks: in the batch.
        jobs: tracks separated at the same time, but for one whose turn comes next.
        options: as of `separate_batch`.
    """
    return max(1, min(tracks, max(jobs + 1, options.effective_batch)))


class _Batch:
    """What the tracks of one batch share."""

    def __init__(
        self,
        found: Sequence[FoundAudio],
        model: LoadedModel,
        options: SeparationOptions,
        layout: OutputLayout,
        observer: BatchObserver | None,
        renderer: Renderer | None,
        *,
        skip_existing: bool,
    ) -> None:
        self.cancelled = threading.Event()
        self._tracks = [
            (audio.path, partial(layout.stem_path, track, audio.path))
            for audio, track in zip(found, track_names(found), strict=True)
        ]
        self._model = model
        self._options = options
        self._observer = observer
        self._renderer = renderer
        self._skip_existing = skip_existing
        self._check_names()

    def run(self, pool: ThreadPoolExecutor, network: SharedNetwork) -> list[TrackOutcome]:
        """Separate all tracks in the pool's threads; outcomes in the order of the files."""
        futures = [
            pool.submit(self._separate, index, source, stem_path, network.seat(index))
            for index, (source, stem_path) in enumerate(self._tracks)
        ]
        # Waiting in slices keeps the main thread open for Ctrl-C on every platform; a bug in one
        # worker ends the batch at once rather than when its turn comes.
        waiting = set(futures)
        while waiting:
            done, waiting = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()
        return [future.result() for future in futures]

    def _check_names(self) -> None:
        owners: dict[str, Path] = {}
        sources = {os.path.realpath(source) for source, _ in self._tracks}
        for source, stem_path in self._tracks:
            for path in self._paths(stem_path):
                if os.path.realpath(path) in sources:
                    raise ConfigError(
                        f"'{path}' is a file to separate and would be written over; choose another "
                        "output folder or filename template"
                    )
                owner = owners.setdefault(alike(path), source)
                if owner != source:
                    raise ConfigError(
                        f"stems of '{owner}' and of '{source}' would both be '{path}'; add "
                        "{track} and {trackext} to the filename template"
                    )

    def _separate(self, index: int, source: Path, stem_path: StemPath, seat: Seat) -> TrackOutcome:
        def on_progress(done: int, total: int | None) -> None:
            if self.cancelled.is_set():
                raise _Cancelled
            self._tell(lambda observer: observer.advanced(index, done, total))

        self._tell(lambda observer: observer.started(index, source))
        try:
            result = None
            if not (self._skip_existing and self._is_done(stem_path)):
                result = separate_track(
                    source,
                    self._model,
                    self._options,
                    stem_path,
                    on_progress,
                    renderer=self._renderer,
                    seat=seat,
                )
            outcome = TrackOutcome(source, result=result)
        except StreamSepError as error:
            _release_frames(error)
            outcome = TrackOutcome(source, error=error)
        self._tell(lambda observer: observer.ended(index, outcome))
        return outcome

    def _paths(self, stem_path: StemPath) -> list[Path]:
        """The files of one track."""
        renderer = self._renderer or stem_selector(self._model, self._options)
        return list(stem_paths(renderer, self._options, stem_path).values())

    def _is_done(self, stem_path: StemPath) -> bool:
        """Whether every stem is there. What is there is whole; what a killed run left goes."""
        paths = self._paths(stem_path)
        for folder in {path.parent for path in paths}:
            remove_leftovers(folder)
        try:
            return all(path.is_file() for path in paths)
        except OSError:  # a name that the file system refuses: let the writer say so
            return False

    def _tell(self, what: Callable[[BatchObserver], None]) -> None:
        if self._observer is not None:
            what(self._observer)


def _release_frames(error: BaseException) -> None:
    """Take the tracebacks off an error and off what it came from.

    Their frames hold the buffers of the track, and outcomes are kept until the batch ends.
    """
    chain: list[BaseException | None] = [error]
    released: set[int] = set()
    while chain:
        link = chain.pop()
        if link is not None and id(link) not in released:
            released.add(id(link))
            link.__traceback__ = None
            chain += [link.__cause__, link.__context__]
