"""What stems may be called: they become files, rows of tables and words on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from streamsep.config.network_description import MOST_SOURCES, StemName
from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["check_stem_names"]

_NAME: TypeAdapter[str] = TypeAdapter(StemName)


def check_stem_names(names: Sequence[str]) -> None:
    """Check the names of a network's stems.

    Raises:
        ConfigError: there are none or too many, one comes twice, or one cannot be a file's.
    """
    if not 1 <= len(names) <= MOST_SOURCES:
        raise ConfigError(f"a network needs from one source to {MOST_SOURCES}, got {len(names)}")
    for name in names:
        try:
            _NAME.validate_python(name, strict=True)
        except ValidationError:
            raise ConfigError(
                f"a source is called {name!r:.60}, expected a name that can be a file's: up to 60 "
                'characters, a letter or digit first, and no / \\ : * ? " < > | or comma'
            ) from None
        if names.count(name) > 1:
            raise ConfigError(f"the source '{name}' comes twice, expected every name once")
