"""The outcomes of `streamsep bench` on disk, so that other commands know them.

A file's name holds a key over what a measurement is true of: the machine, the device, the network,
the tiling. Whoever measures the same again replaces it, with other threads too: the last word
counts. Another version of torch has another key, and finds nothing. The network's weights are not
in the key: those of a run that goes on change every hour, and each would leave a record behind.
Their fingerprint stands in the record, which is not believed once they have changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamsep.measuring.measurement import Measurement
from streamsep.measuring.shelf import Shelf

if TYPE_CHECKING:
    from pathlib import Path

    from streamsep.measuring.machine import Machine

__all__ = ["KeptMeasurements"]

_KEYED = {
    "machine",
    "device",
    "model",
    "model_file",
    "preset",
    "context",
    "hop",
    "look_ahead",
    "crossfade",
    "precision",
    "incremental",
}


class KeptMeasurements:
    """What has been measured before.

    Args:
        folder: where it lies; it need not be there.
    """

    def __init__(self, folder: Path) -> None:
        self._shelf = Shelf(folder, Measurement)

    def keep(self, measurement: Measurement) -> None:
        """Write one down; an older one of the same is replaced.

        Raises:
            OutputError: it cannot be written.
        """
        self._shelf.put(measurement, measurement.model_dump(include=_KEYED))

    def of(self, machine: Machine) -> list[Measurement]:
        """All that are true of a machine, the oldest first.

        Left out is what cannot be read, as what older versions have written, and whatever was
        measured of a network whose files have changed since or are gone.
        """
        known = [
            each for each in self._shelf if each.machine == machine and each.is_of_present_files
        ]
        return sorted(known, key=lambda each: each.measured)
