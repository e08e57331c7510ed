"""How much of the processor others have used: what is measured beside them is not the machine's."""

from __future__ import annotations

import time

import psutil

from streamsep.measuring.machine import usable_cores

__all__ = ["OtherPrograms"]


class OtherPrograms:
    """Watches what others do from the moment that it is made."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._began = self._used_s()

    @property
    def share(self) -> float | None:
        """Share of the processor's time that went to others, 0 to 1.

        None where that cannot be known: in a container the system counts cores that are not ours.
        """
        if psutil.cpu_count() != usable_cores():
            return None
        clock_s, all_s, own_s = (
            now - then for now, then in zip(self._used_s(), self._began, strict=True)
        )
        if clock_s <= 0:
            return None
        return min(1.0, max(0.0, (all_s - own_s) / (clock_s * usable_cores())))

    def _used_s(self) -> tuple[float, float, float]:
        """Seconds by the clock, of all programs, and of this one."""
        everyone = psutil.cpu_times()
        # The kernel's idle time and its waiting for a disk are nobody's work.
        idle_s = everyone.idle + getattr(everyone, "iowait", 0.0)
        # Time as a guest's processor is counted twice.
        twice_s = getattr(everyone, "guest", 0.0) + getattr(everyone, "guest_nice", 0.0)
        own = self._process.cpu_times()
        return time.monotonic(), sum(everyone) - idle_s - twice_s, own.user + own.system
