"""A folder of small records, one file each, named after what each record is true of.

Whoever writes one that is true of the same replaces the older one, at once: a record is whole or
not there. What cannot be read is as good as not there either.
"""

from __future__ import annotations

import hashlib
import json
import logging
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from streamsep.errors import OutputError
from streamsep.whole_file import whole_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["Shelf"]

_log = logging.getLogger(__name__)

Record = TypeVar("Record", bound=BaseModel)


class Shelf(Generic[Record]):
    """Records of one kind.

    Args:
        folder: where they lie; it need not be there.
        kind: what they are.
    """

    def __init__(self, folder: Path, kind: type[Record]) -> None:
        self._folder = folder
        self._kind = kind

    def put(self, record: Record, facts: Mapping[str, Any]) -> None:
        """Write one down; an older one of the same facts is replaced.

        Args:
            record: what to keep.
            facts: what it is true of, as JSON has it.

        Raises:
            OutputError: it cannot be written.
        """
        path = self._path(facts)
        try:
            with whole_file(path) as part:
                part.write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise OutputError(
                f"cannot keep the measurement '{path}': {error.strerror or error}; choose another "
                "folder with --cache-dir"
            ) from error

    def find(self, facts: Mapping[str, Any]) -> Record | None:
        """What is true of some facts; None if that is not known."""
        path = self._path(facts)
        return self._read(path) if path.exists() else None

    def remove(self, facts: Mapping[str, Any]) -> None:
        """Forget what is true of some facts. One that cannot be removed is only told of."""
        path = self._path(facts)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            _log.info("'%s' cannot be removed: %s", path, error.strerror or error)

    def __iter__(self) -> Iterator[Record]:
        """All that can be read, in no order that means anything."""
        found = (self._read(path) for path in sorted(self._folder.glob("*.json")))
        return (each for each in found if each is not None)

    def _path(self, facts: Mapping[str, Any]) -> Path:
        key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
        return self._folder / f"{key}.json"

    def _read(self, path: Path) -> Record | None:
        try:
            return self._kind.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            _log.info("'%s' is no measurement: %s", path, str(error).partition("\n")[0])
            return None
