"""How loud every song is, measured once and remembered.

What was measured lies in one small JSON file per song, in a folder of its own and never beside the
song. It holds for as long as the song's files keep their sizes and times.
"""

from __future__ import annotations

import hashlib
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import torch
from platformdirs import user_cache_path
from pydantic import BaseModel, ConfigDict, ValidationError

from streamsep.audio.statistics import TrackStatistics, measure
from streamsep.files.stamps import FileStamp, stamp_of
from streamsep.whole_file import whole_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from torch import Tensor

    from streamsep.files import TrackFolder

__all__ = ["SongStatistics"]

logger = logging.getLogger(__name__)

BLOCK = 1 << 18
"""Samples read at once."""


class _Measured(BaseModel):
    """What is remembered of a song: its stems' files and peaks, its mixture's statistics."""

    model_config = ConfigDict(frozen=True)

    files: tuple[FileStamp, ...]
    peaks: tuple[float, ...]
    mixture: TrackStatistics


class SongStatistics:
    """Measures songs, and remembers.

    Args:
        folder: where; None for the user's cache.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or user_cache_path("streamsep") / "songs"
        self._failure: OSError | None = None

    def of(self, tracks: Sequence[TrackFolder]) -> list[TrackStatistics]:
        """Length, mean and deviation of every song's mixture, the sum of its stems.

        The log tells of stems that are silent.

        Raises:
            InputError: a file is damaged.
        """
        pool = ThreadPoolExecutor()  # decoding leaves Python's lock alone, so threads are enough
        try:
            measured = list(pool.map(self._recall_or_measure, tracks))
        finally:
            pool.shutdown(cancel_futures=True)
        if self._failure is not None:
            logger.warning(
                "what was measured of the songs cannot be remembered in '%s' (%s): the next run "
                "measures them again",
                self._folder,
                self._failure.strerror,
            )
        for track, song in zip(tracks, measured, strict=True):
            for path, peak in zip(track.stems, song.peaks, strict=True):
                if peak == 0.0:
                    logger.warning(
                        "'%s' is silent from beginning to end; export it anew if it should not be",
                        path,
                    )
        return [song.mixture for song in measured]

    def _recall_or_measure(self, track: TrackFolder) -> _Measured:
        files = tuple(stamp_of(path) for path in track.stems)
        memory = self._folder / f"{_digest(track)}.json"
        try:
            remembered = _Measured.model_validate_json(memory.read_bytes())
        except (OSError, ValidationError):  # not there, or from another version
            remembered = None
        if remembered is not None and remembered.files == files:
            return remembered
        logger.info("measuring the song '%s'", track.name)
        measured = _measure(track, files)
        self._remember(measured, memory)
        return measured

    def _remember(self, measured: _Measured, memory: Path) -> None:
        try:
            with whole_file(memory) as part:
                part.write_text(measured.model_dump_json(indent=1), encoding="utf-8")
        except OSError as error:
            self._failure = error


def _digest(track: TrackFolder) -> str:
    """A name for a song's memory, by where its stems lie."""
    where = b"\0".join(os.fsencode(path.absolute()) for path in track.stems)
    return hashlib.sha256(where).hexdigest()[:32]


def _measure(track: TrackFolder, files: tuple[FileStamp, ...]) -> _Measured:
    peaks = torch.zeros(len(track.stems))

    def mixture() -> Iterator[Tensor]:
        for start in range(0, track.length, BLOCK):
            length = min(BLOCK, track.length - start)
            stems = torch.stack([track.read(stem, start, length) for stem in range(len(peaks))])
            torch.maximum(peaks, stems.abs().amax(dim=(1, 2)), out=peaks)
            yield stems.sum(dim=0)

    statistics = measure(mixture())
    return _Measured(files=files, peaks=tuple(peaks.tolist()), mixture=statistics)
