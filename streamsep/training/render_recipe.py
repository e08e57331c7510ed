"""What a rendered song was made from, kept beside its stems as `render.json`.

A song's folder is named after its band and its seed alone. The recipe has the rest that decides how
the song sounds, so that a folder that is there is only taken for the song that is wanted if it is.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal

from pydantic import ValidationError

from streamsep.config.yaml_file import Document
from streamsep.errors import InputError, OutputError
from streamsep.files import open_audio
from streamsep.files.stamps import stamp_of
from streamsep.synthesis.score import STEMS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["RECIPE", "BandName", "RenderRecipe", "Soundfont", "check_rendered", "soundfonts_of"]

_log = logging.getLogger(__name__)

RECIPE = "render.json"
"""The file in every song's folder that says how it was rendered."""

BandName = Literal["procedural", "sampled"]


class Soundfont(Document):
    """By what a soundfont is known on any machine.

    Attributes:
        name: of its file.
        size: bytes.
    """

    name: str
    size: int

    def __str__(self) -> str:
        """For messages."""
        return f"{self.name} ({self.size} bytes)"


class RenderRecipe(Document):
    """One song.

    Attributes:
        band: who plays.
        seed: decides what, together with the rest.
        seconds: its length.
        sample_rate: samples per second.
        soundfonts: what a sampled band plays, in their order; none for the procedural one.
    """

    band: BandName
    seed: int
    seconds: float
    sample_rate: int
    soundfonts: tuple[Soundfont, ...]

    @property
    def frames(self) -> int:
        """Samples of the song."""
        return round(self.seconds * self.sample_rate)


def soundfonts_of(paths: Sequence[Path]) -> tuple[Soundfont, ...]:
    """What recipes say of soundfonts.

    Raises:
        InputError: a file is not there.
    """
    stamps = map(stamp_of, paths)
    return tuple(Soundfont(name=stamp.name, size=stamp.size) for stamp in stamps)


def check_rendered(wanted: Mapping[Path, RenderRecipe], *, compare_soundfonts: bool) -> None:
    """Make sure that songs that are there are those that are wanted.

    Songs from before there were recipes have to be of the right length. What soundfonts they were
    played with nobody knows, so the log warns of those of the sampled band.

    Args:
        wanted: recipes by the folders of songs that are there.
        compare_soundfonts: whether songs of other soundfonts are other songs; not where nobody
            knows which are wanted.

    Raises:
        OutputError: one of them is another song, or none.
    """
    unknown = [
        folder
        for folder, recipe in wanted.items()
        if not _has_recipe(folder, recipe, compare_soundfonts)
    ]
    sampled = [folder for folder in unknown if wanted[folder].band == "sampled"]
    if sampled:
        _log.warning(
            "%d songs, '%s' first, do not say with which soundfonts they were rendered and are "
            "taken as they are; remove them to have them rendered anew",
            len(sampled),
            sampled[0],
        )


def _has_recipe(folder: Path, wanted: RenderRecipe, compare_soundfonts: bool) -> bool:
    """Whether a song has the recipe that is wanted; False if it has none but may be the song."""
    try:
        made_by = RenderRecipe.model_validate_json((folder / RECIPE).read_bytes())
    except FileNotFoundError:
        _check_length(folder, wanted)
        return False
    except (OSError, ValidationError) as error:
        raise _refusal(folder, f"has no {RECIPE} that can be read") from error
    if not compare_soundfonts:
        wanted = wanted.model_copy(update={"soundfonts": made_by.soundfonts})
    if made_by != wanted:
        raise _refusal(folder, _difference(made_by, wanted))
    return True


def _difference(made_by: RenderRecipe, wanted: RenderRecipe) -> str:
    """What was got and what was expected, without what agrees."""
    found, expected = made_by.model_dump(), wanted.model_dump()
    names = [name for name in expected if found[name] != expected[name]]
    return f"was rendered with {_told(made_by, names)}, expected {_told(wanted, names)}"


def _told(recipe: RenderRecipe, names: Sequence[str]) -> str:
    facts = {name: str(getattr(recipe, name)) for name in names}
    if "soundfonts" in facts:
        facts["soundfonts"] = ", ".join(map(str, recipe.soundfonts)) or "none"
    return ", ".join(f"{name} {fact}" for name, fact in facts.items())


def _check_length(folder: Path, wanted: RenderRecipe) -> None:
    try:
        lengths = {_frames_of(folder / f"{stem}.flac") for stem in STEMS}
    except InputError as error:
        raise _refusal(folder, "is no rendered song") from error
    if lengths != {wanted.frames}:
        found = ", ".join(map(str, sorted(lengths)))
        raise _refusal(folder, f"holds stems of {found} samples, expected {wanted.frames}")


def _frames_of(stem: Path) -> int:
    with open_audio(stem) as reader:
        return reader.frames or 0  # what does not tell its length was not rendered


def _refusal(folder: Path, reason: str) -> OutputError:
    return OutputError(f"{folder} {reason}; remove it or name another folder for the songs")
