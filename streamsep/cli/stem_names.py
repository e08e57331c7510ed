"""`--stem-name`: what the files of stems are called in somebody's folder of songs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["StemNames", "read_stem_names"]

StemNames = Annotated[
    list[str] | None,
    typer.Option(
        "--stem-name",
        metavar="STEM=NAME",
        help="What the files of a stem are called, without .wav or .flac, as in "
        "other=accompaniment; repeatable.",
    ),
]


def read_stem_names(said: Sequence[str]) -> dict[str, str]:
    """Names of files by the stem.

    Args:
        said: as in ``other=accompaniment``.

    Raises:
        ConfigError: one is no such pair, or a stem has two.
    """
    names: dict[str, str] = {}
    for pair in said:
        stem, _, name = pair.partition("=")
        if not stem or not name or set(name) & set("/\\"):
            raise ConfigError(
                f"--stem-name '{pair}': expected a stem and what its files are called, as in "
                "other=accompaniment"
            )
        if stem in names:
            raise ConfigError(
                f"--stem-name: got '{names[stem]}' and '{name}' for {stem}, expected one of them"
            )
        names[stem] = name
    return names
