"""Finding the programs, packages and soundfonts that the sampled band borrows."""

from __future__ import annotations

import importlib
import shutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from streamsep.errors import MissingToolError

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["DEFAULT_SOUNDFONTS", "find_program", "find_soundfonts", "load_package"]

DEFAULT_SOUNDFONTS = (
    Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"),
    Path("/usr/share/sounds/sf2/MuseScore_General_Full.sf2"),
)
"""Where Debian puts the two soundfonts whose MIT licence lets a trained network be shared."""


def find_program(name: str) -> str:
    """The path of an installed program.

    Raises:
        MissingToolError: it is not on the path.
    """
    path = shutil.which(name)
    if path is None:
        raise MissingToolError(
            f"the program {name} was not found; install it (Debian: apt install {name})"
        )
    return path


def load_package(name: str) -> ModuleType:
    """Import a package of the extra ``sampled``.

    Raises:
        MissingToolError: it is not installed.
    """
    try:
        with warnings.catch_warnings():
            # pyworld asks pkg_resources for its own version, which warns that it will go away.
            warnings.simplefilter("ignore")
            return importlib.import_module(name)
    except ImportError as error:
        raise MissingToolError(
            f"the package {name} cannot be imported ({error}); "
            "install the extra: uv sync --inexact --extra sampled"
        ) from error


def find_soundfonts() -> tuple[Path, ...]:
    """The default soundfonts that are installed, at least one.

    Raises:
        MissingToolError: there is none.
    """
    found = tuple(path for path in DEFAULT_SOUNDFONTS if path.is_file())
    if not found:
        raise MissingToolError(
            f"no soundfont found in {DEFAULT_SOUNDFONTS[0].parent}; install one "
            "(Debian: apt install fluid-soundfont-gm musescore-general-soundfont-lossless) "
            "or name your own"
        )
    return found
