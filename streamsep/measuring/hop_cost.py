"""What an engine has to know before it serves: how long a hop takes.

A `Measurement` is the whole outcome of `streamsep bench`. An engine decides with one figure of it,
and what that figure is true of is stricter: how many threads compute, how exactly, which weights.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from streamsep.measuring.machine import Machine
from streamsep.measuring.recorded_names import NetworkName

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["LONGEST_MEMORY", "HopCost", "Setup", "Workload", "fingerprint"]

LONGEST_MEMORY = timedelta(days=30)
"""An older figure is measured anew: drivers, kernels and fans change without a version number."""


class Setup(BaseModel):
    """What computes, and how; all presets of an engine have it in common.

    Attributes:
        machine: processor, cores and versions.
        device: what computes: cpu, or the name of the accelerator.
        threads: of torch on the processor.
        precision: how exactly, None where that is left to the network.
        network: its name.
        files: the `fingerprint` of its files.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    machine: Machine
    device: str
    threads: int = Field(gt=0)
    precision: str | None
    network: NetworkName
    files: str


class Workload(BaseModel):
    """What is computed for one hop.

    Attributes:
        segment: samples that the network sees.
        hop: samples from segment to segment where it keeps what it can from one to the next; 0
            where it computes every segment anew, whatever the hop, and so are the next two.
        look_ahead: samples of the future in a segment.
        crossfade: samples over which segments blend.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    segment: int = Field(gt=0)
    hop: int = Field(default=0, ge=0)
    look_ahead: int = Field(default=0, ge=0)
    crossfade: int = Field(default=0, ge=0)


class HopCost(BaseModel):
    """How long one hop takes.

    Attributes:
        workload: what is computed.
        compute_s: seconds, the median of several hops.
        measured: when, with a time zone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    workload: Workload
    compute_s: float = Field(ge=0, allow_inf_nan=False)
    measured: AwareDatetime

    def is_fresh(self, now: datetime) -> bool:
        """Whether it is recent enough to be believed; what comes from the future is not."""
        return timedelta(0) <= now - self.measured <= LONGEST_MEMORY


def fingerprint(files: Iterable[Path]) -> str:
    """What changes when any of a network's files does.

    Their names, sizes and times of change: to read hundreds of megabytes, only to learn that they
    are the same, would cost more than some measurements.
    """
    digest = hashlib.sha256()
    for path in files:
        digest.update(os.fsencode(path.resolve()) + b"\0")
        with suppress(OSError):  # it was loaded, and may have gone since
            facts = path.stat()
            digest.update(f"{facts.st_size}\0{facts.st_mtime_ns}\0".encode())
    return digest.hexdigest()[:16]
