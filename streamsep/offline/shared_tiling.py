"""The segments of all tracks of a batch, which become shorter when memory runs out."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from streamsep.engine import OverlapConfig
from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from streamsep.engine import Separator, StreamConfig

__all__ = ["SharedTiling"]

logger = logging.getLogger(__name__)

LEAST_SEGMENT_S = 1.0
"""What networks make of less is hardly worth having."""


class SharedTiling:
    """What one track has found too long for the memory, the next does not try again.

    Args:
        tiling: where segments lie, to begin with.
        separator: what separates them.
    """

    def __init__(self, tiling: OverlapConfig | StreamConfig, separator: Separator) -> None:
        self.current = tiling
        self._sample_rate = separator.sample_rate
        self._stride = separator.stride
        self._lock = threading.Lock()

    def shorten(self, failed: OverlapConfig | StreamConfig) -> None:
        """Memory ran out with a tiling: take one with shorter segments.

        Raises:
            ConfigError: there is none. A latency preset says how long its segments are.
        """
        with self._lock:
            if self.current != failed:
                return  # another track was first
            shorter = None
            if isinstance(failed, OverlapConfig):
                least = round(LEAST_SEGMENT_S * self._sample_rate)
                shorter = failed.halved(self._stride, least=least)
            if shorter is None:
                raise ConfigError(
                    f"memory ran out even with segments of {self._seconds(failed)}: close other "
                    "programs, use fewer jobs (-j), another model, preset or --device"
                )
            logger.warning(
                "memory ran out with segments of %s: going on with %s",
                self._seconds(failed),
                self._seconds(shorter),
            )
            self.current = shorter

    def _seconds(self, tiling: OverlapConfig | StreamConfig) -> str:
        return f"{tiling.segment / self._sample_rate:.1f} s"
