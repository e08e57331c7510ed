"""Many tracks, several at a time; a bad one does not stop the others."""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch

from streamsep.errors import ConfigError, StreamSepError
from streamsep.offline.layout import OutputLayout, track_names
from streamsep.offline.separate import SeparatedTrack, all_stems_exist, separate_track

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from streamsep.files import FoundAudio
    from streamsep.models import LoadedModel
    from streamsep.offline.options import SeparationOptions

__all__ = ["BatchObserver", "TrackOutcome", "separate_batch"]


@dataclass(frozen=True, slots=True)
class TrackOutcome:
    """How one track of a batch ended.

    Attributes:
        source: the file.
        result: what came of it, or None.
        error: what went wrong, or None. With neither, the track was skipped.
    """

    source: Path
    result: SeparatedTrack | None = None
    error: StreamSepError | None = None


class BatchObserver(Protocol):
    """Is told how a batch is getting on; called from several threads."""

    def started(self, index: int, source: Path) -> None:
        """Track number `index` has begun."""

    def advanced(self, index: int, frames: int, total: int | None) -> None:
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
) -> list[TrackOutcome]:
    """Separate tracks; each fails or succeeds on its own.

    The tracks share one network. On the CPU the cores are divided among the jobs.

    Args:
        found: the files.
        model: the network.
        options: how, and what to write.
        layout: where the stems go.
        jobs: tracks separated at the same time, at least 1.
        skip_existing: leave out tracks whose stems are all there already.
        observer: is told how it is getting on.

    Returns:
        One outcome per file, in the order of the files.

    Raises:
        ConfigError: jobs is less than 1.
        KeyboardInterrupt: Ctrl-C; the tracks that were under way leave nothing behind.
    """
    if jobs < 1:
        raise ConfigError(f"jobs must be at least 1, got {jobs}")
    batch = _Batch(model, options, layout, observer, skip_existing=skip_existing)
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, threads // min(jobs, max(1, len(found)))))
    try:
        with ThreadPoolExecutor(jobs, "separate") as pool:
            try:
                return list(batch.run(pool, found))
            except BaseException:
                batch.cancelled.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
    finally:
        torch.set_num_threads(threads)


class _Batch:
    """What the tracks of one batch share."""

    def __init__(
        self,
        model: LoadedModel,
        options: SeparationOptions,
        layout: OutputLayout,
        observer: BatchObserver | None,
        *,
        skip_existing: bool,
    ) -> None:
        self.cancelled = threading.Event()
        self._model = model
        self._options = options
        self._layout = layout
        self._observer = observer
        self._skip_existing = skip_existing

    def run(self, pool: ThreadPoolExecutor, found: Sequence[FoundAudio]) -> Iterator[TrackOutcome]:
        futures = [
            pool.submit(self._separate, index, audio, track)
            for index, (audio, track) in enumerate(zip(found, track_names(found), strict=True))
        ]
        # Waiting in slices keeps the main thread open for Ctrl-C on every platform; a bug in one
        # worker ends the batch at once rather than when its turn comes.
        waiting = set(futures)
        while waiting:
            done, waiting = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()
        return (future.result() for future in futures)

    def _separate(self, index: int, audio: FoundAudio, track: Path) -> TrackOutcome:
        def stem_path(stem: str, ext: str) -> Path:
            return self._layout.stem_path(track, audio.path, stem, ext)

        def on_progress(frames: int, total: int | None) -> None:
            if self.cancelled.is_set():
                raise _Cancelled
            self._tell(lambda observer: observer.advanced(index, frames, total))

        self._tell(lambda observer: observer.started(index, audio.path))
        try:
            if self._skip_existing and all_stems_exist(self._model, self._options, stem_path):
                result = None
            else:
                result = separate_track(
                    audio.path, self._model, self._options, stem_path, on_progress
                )
            outcome = TrackOutcome(audio.path, result=result)
        except StreamSepError as error:
            outcome = TrackOutcome(audio.path, error=error)
        self._tell(lambda observer: observer.ended(index, outcome))
        return outcome

    def _tell(self, what: Callable[[BatchObserver], None]) -> None:
        if self._observer is not None:
            what(self._observer)
