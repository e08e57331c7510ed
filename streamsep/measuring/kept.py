"""Measurements on disk, one file each, so that other commands know them.

A file's name holds a key over all that a measurement is true of: the machine, the device, the
network, the tiling. Whoever measures the same again replaces it; another version of torch has
another key, and finds nothing.
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from pydantic import ValidationError

from streamsep.errors import OutputError
from streamsep.measuring.measurement import Measurement

if TYPE_CHECKING:
    from pathlib import Path

    from streamsep.measuring.machine import Machine

__all__ = ["KeptMeasurements"]

_log = logging.getLogger(__name__)

_KEYED = (
    "device",
    "model",
    "model_file",
    "preset",
    "context",
    "hop",
    "look_ahead",
    "crossfade",
    "incremental",
)


class KeptMeasurements:
    """What has been measured before.

    Args:
        folder: where it lies; it need not be there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, measurement: Measurement) -> None:
        """Write one down; an older one of the same is replaced.

        Raises:
            OutputError: it cannot be written.
        """
        path = self._folder / _name(measurement)
        part = path.with_name(f".{secrets.token_hex(8)}.part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            part.write_text(measurement.model_dump_json(indent=2) + "\n", encoding="utf-8")
            part.replace(path)
        except OSError as error:
            raise OutputError(
                f"cannot keep the measurement '{path}': {error.strerror or error}; choose another "
                "folder with --cache-dir"
            ) from error
        finally:
            with suppress(OSError):
                part.unlink()

    def of(self, machine: Machine) -> list[Measurement]:
        """All that are true of a machine, the oldest first. What cannot be read is left out."""
        found = [self._read(path) for path in sorted(self._folder.glob("*.json"))]
        known = [each for each in found if each is not None and each.machine == machine]
        return sorted(known, key=lambda each: each.measured)

    @staticmethod
    def _read(path: Path) -> Measurement | None:
        try:
            return Measurement.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            _log.info("'%s' is no measurement: %s", path, str(error).partition("\n")[0])
            return None


def _name(measurement: Measurement) -> str:
    facts = measurement.model_dump(include={"machine", *_KEYED})
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
    return f"{key}.json"
