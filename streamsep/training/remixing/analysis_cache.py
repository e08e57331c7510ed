"""What was heard of songs, kept beside their remixes: listening takes longer than planning."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from pydantic import ValidationError

from streamsep.config.yaml_file import Document
from streamsep.errors import InputError
from streamsep.training.remixing.analysis import SongAnalysis
from streamsep.training.whole_songs import appearing_whole, make_folder

if TYPE_CHECKING:
    from pathlib import Path

    from streamsep.files import TrackFolder

__all__ = ["AnalysisCache"]

_log = logging.getLogger(__name__)

_METHOD = 1
"""Counts the ways of listening: what was heard in another way is heard anew."""


class _Kept(Document):
    stamp: str
    analysis: SongAnalysis


class AnalysisCache:
    """A file per song, which is used while the song's own files stay as they are.

    Args:
        folder: where they lie; made here.

    Raises:
        OutputError: it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        make_folder(folder)
        self._folder = folder

    def find(self, track: TrackFolder) -> SongAnalysis | None:
        """What was heard of a song, or None if nothing was since it last changed."""
        path = self._path(track)
        try:
            kept = _Kept.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            reason = str(error).partition("\n")[0]
            _log.warning("'%s' cannot be used, so the song is heard anew: %s", path, reason)
            return None
        return kept.analysis if kept.stamp == _stamp(track) else None

    def keep(self, track: TrackFolder, analysis: SongAnalysis) -> None:
        """Write down what was heard of a song.

        Raises:
            OutputError: it cannot be written.
        """
        kept = _Kept(stamp=_stamp(track), analysis=analysis)
        with appearing_whole(self._path(track)) as path:
            path.write_text(kept.model_dump_json() + "\n", encoding="utf-8")

    def _path(self, track: TrackFolder) -> Path:
        return self._folder / f"{track.name}.json"


def _stamp(track: TrackFolder) -> str:
    """What tells that a song has changed, without reading all of it."""
    try:
        states = [path.stat() for path in track.stems]
    except OSError as error:
        raise InputError(f"'{track.name}' cannot be read: {error}") from error
    return " ".join([str(_METHOD), *(f"{state.st_size}@{state.st_mtime_ns}" for state in states)])
