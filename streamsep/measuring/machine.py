"""What the speed of a network depends on besides the network and its device."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from streamsep._version import __version__

__all__ = ["Machine", "this_machine", "usable_cores"]

_CPUINFO = Path("/proc/cpuinfo")


class Machine(BaseModel):
    """A processor and the versions of what runs on it.

    Attributes:
        processor: as its maker calls it, as far as the system tells.
        cores: how many of it this process may use.
        torch: version of torch.
        streamsep: version of this package.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    processor: str
    cores: int
    torch: str
    streamsep: str


def this_machine() -> Machine:
    """The one that this runs on; torch is not imported for it."""
    return Machine(
        processor=_processor(),
        cores=usable_cores(),
        torch=metadata.version("torch"),
        streamsep=__version__,
    )


def usable_cores() -> int:
    """How many cores this process may use: containers and batch systems often allow a few."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor() -> str:
    try:
        lines = _CPUINFO.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()
