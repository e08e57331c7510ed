"""What was heard of songs, kept beside their remixes: listening takes longer than planning."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from pydantic import ConfigDict, ValidationError

from streamsep.config.yaml_file import Document
from streamsep.files.output import write_whole
from streamsep.files.stamps import FileStamp
from streamsep.training.remixing.analysis import SongAnalysis
from streamsep.training.whole_songs import make_folder

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["AnalysisCache"]

_log = logging.getLogger(__name__)

_METHOD = 1
"""Counts the ways of listening: what was heard in another way is heard anew."""


class _Method(Document):
    """How a song was heard, of a file that may have been written by another version."""

    model_config = ConfigDict(extra="ignore")

    method: int = 0  # files from before there was this key have none


class _Kept(Document):
    method: int
    files: tuple[FileStamp, ...]
    analysis: SongAnalysis


class AnalysisCache:
    """A file per song, which is used while the song's own files stay as they are.

    Songs are told apart by their names. The stamps of a song's files are taken before it is heard.

    Args:
        folder: where they lie; made here.

    Raises:
        OutputError: it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        make_folder(folder)
        self._folder = folder

    def find(self, song: str, files: tuple[FileStamp, ...]) -> SongAnalysis | None:
        """What was heard of a song, or None if nothing was since its files last changed."""
        path = self._path(song)
        try:
            content = path.read_bytes()
            if _Method.model_validate_json(content).method != _METHOD:
                return None  # no damage, so nothing to warn of
            kept = _Kept.model_validate_json(content)
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            reason = str(error).partition("\n")[0]
            _log.warning("'%s' cannot be used, so the song is heard anew: %s", path, reason)
            return None
        return kept.analysis if kept.files == files else None

    def keep(self, song: str, files: tuple[FileStamp, ...], analysis: SongAnalysis) -> None:
        """Write down what was heard of a song.

        Raises:
            OutputError: it cannot be written.
        """
        kept = _Kept(method=_METHOD, files=files, analysis=analysis)
        write_whole(self._path(song), kept.model_dump_json() + "\n")

    def _path(self, song: str) -> Path:
        return self._folder / f"{song}.json"
