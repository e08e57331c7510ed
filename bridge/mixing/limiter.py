r"""A limiter that costs no latency and touches nothing that fits.

The gain that sample t may have is c[t] = min(1, ceiling / peak[t]), where the peak is that of all
its channels, so that the picture in stereo stays. The gain falls at once and rises slowly::

    g[t] = min(g[t−1] + r, c[t])

    gain  ────┐            ____────
              │   ____─────
              └───

The difference to a straight line, g[t] − r·t, is the running minimum of c[t] − r·t, which one call
of numpy computes for a whole block. Falling at once clips the first rise of an overshoot; what
follows within the release is only quieter. A look-ahead would spare that rise and cost its length.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

__all__ = ["RELEASE_S", "Limiter"]

RELEASE_S = 1.0
"""Seconds for the gain to rise from 0 to 1; after 1 dB of limiting it is back in 0.11 s."""


class Limiter:
    """Keeps the channels of one group below a ceiling; latency 0.

    While no sample passes the ceiling and the gain has returned to 1, samples stay as they are, bit
    by bit.

    Args:
        sample_rate: samples per second.
        longest_block: samples.
        ceiling: amplitude, above 0.
    """

    def __init__(self, sample_rate: int, longest_block: int, ceiling: float = 1.0) -> None:
        self.ceiling = np.float32(ceiling)
        self._rise = np.arange(1, longest_block + 1) / (RELEASE_S * sample_rate)
        self._magnitude = np.empty(longest_block, np.float32)
        self._peak = np.empty(longest_block, np.float32)
        self._gain = np.empty(longest_block)
        self._allowed = np.empty(longest_block)
        self.reset()

    def reset(self) -> None:
        """Be as new: the gain is 1."""
        self.gain = 1.0
        """The gain of the last sample, for meters."""

    def limit(self, channels: list[Samples]) -> None:
        """Limit a block in place.

        Real-time: no allocation but views.

        Args:
            channels: float32 [n] each, finite, n from 1 to the longest block.
        """
        length = len(channels[0])
        peak = self._peak[:length]
        self._find_peaks(channels, peak)
        if self.gain == 1.0 and peak.max() <= self.ceiling:
            return
        allowed, gain, rise = self._allowed[:length], self._gain[:length], self._rise[:length]
        np.maximum(peak, self.ceiling, out=peak)
        np.divide(float(self.ceiling), peak, out=allowed)
        np.subtract(allowed, rise, out=gain)
        gain[0] = min(gain[0], self.gain)
        np.minimum.accumulate(gain, out=gain)
        gain += rise
        np.minimum(gain, allowed, out=gain)
        # Rounding must not keep the gain a hair below 1 for good.
        self.gain = 1.0 if gain[-1] > 1.0 - 1e-9 else float(gain[-1])
        np.copyto(peak, gain, casting="same_kind")
        for channel in channels:
            np.multiply(channel, peak, out=channel)
            np.clip(channel, -self.ceiling, self.ceiling, out=channel)

    def _find_peaks(self, channels: list[Samples], peak: Samples) -> None:
        np.abs(channels[0], out=peak)
        magnitude = self._magnitude[: len(peak)]
        for channel in channels[1:]:
            np.abs(channel, out=magnitude)
            np.maximum(peak, magnitude, out=peak)
