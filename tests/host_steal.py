"""Whether the host of a virtual machine took its processors away while a test was playing.

What plays in real time is late then, however it was written: such a test says nothing and is run
again. Where nothing was taken, on a machine of one's own above all, every failure counts at once.
"""

from __future__ import annotations

import psutil

__all__ = ["HostSteal"]

ENOUGH_S = 0.05
"""Of all processors together; ten blocks of 256 samples."""


class HostSteal:
    """The time taken since the last test began."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """A test begins."""
        self._before_s = _stolen_s()

    def disturbed(self) -> bool:
        """Whether enough was taken since then to make something late."""
        return _stolen_s() - self._before_s > ENOUGH_S


def _stolen_s() -> float:
    return float(getattr(psutil.cpu_times(), "steal", 0.0))
