"""Scores on disk, one file per song and method, so that no song is judged twice.

A file's name holds a key over all that its scores depend on: the weights, the method, the song's
files, the version. Whoever changes one of them gets another key and a fresh measurement; whoever
runs the same command again goes on where it stopped. The key is made before the song is read, so
that what was heard of a song that changes meanwhile is not taken for the new song's::

    OUT/songs/<song>/<method>-<key>.json
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from streamsep._version import __version__
from streamsep.evaluation.scores import SongScores
from streamsep.files.output import write_whole
from streamsep.files.stamps import stamp_of

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

    def place_of(self, task: Task) -> Path:
        """The file that a task's scores belong into, as all that they depend on is now.

        Raises:
            InputError: a file of the song is gone.
        """
        name = f"{task.method.name}-{self._key(task)}.json"
        return self._folder / "songs" / task.song.name / name

    def find(self, place: Path) -> SongScores | None:
        """The scores of a task that was finished before, by its place."""
        try:
            return SongScores.model_validate_json(place.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            _log.warning("'%s' cannot be used and is measured anew: %s", place, _first_line(error))
            return None

    def keep(self, place: Path, scores: SongScores) -> None:
        """Write down the scores of a task in the place that it had before it was measured.

        Raises:
            OutputError: they cannot be written.
        """
        write_whole(place, scores.model_dump_json(indent=2) + "\n")

    def _key(self, task: Task) -> str:
        facts: dict[str, Any] = {
            "version": __version__,
            "method": task.method.facts(),
            "bss": task.bss,
            "files": [astuple(stamp_of(path)) for path in task.song.files],
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


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
