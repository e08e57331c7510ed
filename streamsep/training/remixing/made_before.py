"""Whether remixes that are there are those that are wanted.

What can be told from the songs' files alone is told before anybody listens to the songs for hours;
what depends on what was heard, once the remixes are planned. Remixes from before recipes had the
stamps of their songs' files are taken for remixes of the songs of today, with a warning.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from pydantic import ValidationError

from streamsep.errors import OutputError
from streamsep.training.remixing.planning import Recipe, name_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from streamsep.files.stamps import FileStamp
    from streamsep.training.remixing.matching import RemixSettings

    Sources = Mapping[str, tuple[FileStamp, ...]]
    """The stamps of every song's files, by the song's name."""

__all__ = ["RECIPE", "check_made_before", "check_same", "find_made_before"]

_log = logging.getLogger(__name__)

RECIPE = "remix.json"
"""The file in every remix's folder that says how it was made."""


def find_made_before(out: Path, sources: Sources, copies: int) -> dict[Path, Recipe]:
    """The recipes of the remixes of these songs that are there, by their folders.

    Raises:
        OutputError: something of a remix's name has no recipe.
    """
    folders = [out / name_of(host, copy) for host in sources for copy in range(copies)]
    return {folder: _read(folder) for folder in folders if folder.exists()}


def check_made_before(
    made: Mapping[Path, Recipe], sources: Sources, settings: RemixSettings
) -> None:
    """Make sure, before the songs are heard, that remixes can be those that are wanted.

    Args:
        made: the recipes of the remixes that are there, by their folders.
        sources: the songs of today.
        settings: those of today.

    Raises:
        OutputError: one was made from other songs or with other options.
    """
    for folder, recipe in made.items():
        if recipe.settings != settings or not _songs_of(recipe) <= sources.keys():
            raise _refusal(folder, "was made from other songs or with other options")
        if any(sources.get(song) != files for song, files in recipe.sources.items()):
            raise _refusal(folder, "was made from songs that have changed since")
    unknown = [folder for folder, recipe in made.items() if not recipe.sources]
    if unknown:
        _log.warning(
            "%d remixes, '%s' first, do not say from which files they were made and are taken as "
            "they are; remove them to have them made anew",
            len(unknown),
            unknown[0],
        )


def check_same(folder: Path, made_by: Recipe, wanted: Recipe) -> None:
    """Raise OutputError unless a remix that is there was made by the recipe of today."""
    if not made_by.sources:
        wanted = wanted.model_copy(update={"sources": {}})
    if made_by != wanted:
        raise _refusal(folder, "was made from other songs or with other options")


def _read(folder: Path) -> Recipe:
    try:
        return Recipe.model_validate_json((folder / RECIPE).read_bytes())
    except (OSError, ValidationError) as error:
        raise _refusal(folder, f"has no {RECIPE} that can be read") from error


def _songs_of(recipe: Recipe) -> set[str]:
    return {part.song for part in recipe.parts}


def _refusal(folder: Path, reason: str) -> OutputError:
    return OutputError(f"{folder} {reason}; remove it or name another folder for the remixes")
