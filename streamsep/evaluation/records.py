"""Scores on disk, one file per song and method, so that no song is judged twice.

A file's name holds a key over all that its scores depend on: the weights, the method, the song's
files, the version. Whoever changes one of them gets another key and a fresh measurement; whoever
runs the same command again goes on where it stopped::

    OUT/songs/<song>/<method>-<key>.json
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from streamsep._version import __version__
from streamsep.evaluation.scores import SongScores
from streamsep.evaluation.whole_file import write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from streamsep.evaluation.methods import Method
    from streamsep.evaluation.songs import Song

__all__ = ["Records", "Task", "sha256_of"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Task:
    """One song to be judged by one method.

    Attributes:
        song: the song.
        method: the method.
        bss: whether BSS Eval is wanted.
    """

    song: Song
    method: Method
    bss: bool

    @property
    def work(self) -> float:
        """How much there is to do, in samples that pass through a network, roughly."""
        return self.song.frames * (self.method.passes + 0.1)


class Records:
    """The finished tasks of an evaluation.

    Args:
        folder: where they lie.
        weights_sha256: checksum of the network's file.
    """

    def __init__(self, folder: Path, weights_sha256: str) -> None:
        self._folder = folder
        self._weights = weights_sha256

    def find(self, task: Task) -> SongScores | None:
        """The scores of a task that was finished before."""
        path = self._path(task)
        try:
            return SongScores.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            _log.warning("'%s' cannot be used and is measured anew: %s", path, _first_line(error))
            return None

    def keep(self, task: Task, scores: SongScores) -> None:
        """Write down the scores of a task.

        Raises:
            OutputError: they cannot be written.
        """
        write_whole(self._path(task), scores.model_dump_json(indent=2) + "\n")

    def _path(self, task: Task) -> Path:
        name = f"{task.method.name}-{self._key(task)}.json"
        return self._folder / "songs" / task.song.name / name

    def _key(self, task: Task) -> str:
        facts: dict[str, Any] = {
            "version": __version__,
            "method": task.method.facts(),
            "bss": task.bss,
            "files": [_stamp(path) for path in task.song.files],
        }
        if task.method.passes:
            facts["weights"] = self._weights
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def sha256_of(path: Path, *more: Path) -> str:
    """The checksum of a file; of several, that of their checksums in this order."""
    with path.open("rb") as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
    if not more:
        return checksum
    return hashlib.sha256("".join([checksum, *map(sha256_of, more)]).encode()).hexdigest()


def _stamp(path: Path) -> list[str | int]:
    """What tells that a file has changed, without reading all of it."""
    state = path.stat()
    return [path.name, state.st_size, state.st_mtime_ns]


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
