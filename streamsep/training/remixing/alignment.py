r"""Laying the beats of one song onto those of another.

Both become a row of bins of 5 ms, one where a beat is and zero elsewhere, blurred so that beats
that nearly meet count too. Where the correlation of the two rows is greatest, most beats meet::

    host    ____╱╲____╱╲____╱╲____╱╲____
    guest   _╱╲____╱╲____╱╲____╱╲_______
             └──► lag, at most 4 s either way

Steady beats meet at every multiple of their period. Most pairs overlap where the songs are moved
least, so that is what wins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage, signal

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["FURTHEST_S", "beat_lag", "meeting_share"]

FURTHEST_S = 4.0
"""How far a song is moved at most, seconds."""

_BIN_S = 0.005
_BLUR_BINS = 2.0
_TIE = 1e-6


def beat_lag(host: ArrayLike, guest: ArrayLike, furthest_s: float = FURTHEST_S) -> float:
    """How much later a guest must start so that its beats meet the host's.

    Args:
        host: seconds of the host's beats, at least one, all at least 0.
        guest: seconds of the guest's beats at the tempo at which they are to be played, likewise.
        furthest_s: the largest move either way, seconds.

    Returns:
        Seconds, negative where the guest must start earlier. Between the bins it is interpolated.
    """
    match = signal.correlate(_row(host), _row(guest), mode="full", method="fft")
    lags = signal.correlation_lags(_bins(host), _bins(guest), mode="full")
    allowed = np.flatnonzero(np.abs(lags) * _BIN_S <= furthest_s)
    assert allowed.size, "a lag of zero is always allowed"
    # The transform rounds: of equal maxima the smallest move wins, on every machine.
    best = allowed[match[allowed] >= match[allowed].max() - _TIE]
    peak = int(best[np.argmin(np.abs(lags[best]))])
    return float((lags[peak] + _between(match, peak)) * _BIN_S)


def meeting_share(host: ArrayLike, guest: ArrayLike, tolerance_s: float = 0.05) -> float:
    """The share of beats that meet, of those of the song that has fewer, 0 to 1.

    Args:
        host: seconds of the host's beats, rising.
        guest: seconds of the guest's beats where they are played, rising.
        tolerance_s: two beats this close meet.

    Returns:
        Only the time that both songs have beats in counts; 0 if there is none.
    """
    one, other = np.asarray(host), np.asarray(guest)
    if not one.size or not other.size:
        return 0.0
    begin, end = max(one[0], other[0]) - tolerance_s, min(one[-1], other[-1]) + tolerance_s
    common = (beats[(begin <= beats) & (beats <= end)] for beats in (one, other))
    few, many = sorted(common, key=len)
    if not few.size:
        return 0.0
    return float(np.mean(np.abs(few[:, None] - many[None, :]).min(axis=1) <= tolerance_s))


def _bins(beats: ArrayLike) -> int:
    # Room for the blur at the end too.
    return int(np.max(np.asarray(beats)) / _BIN_S) + 1 + int(5 * _BLUR_BINS)


def _row(beats: ArrayLike) -> NDArray[np.float64]:
    places = np.rint(np.asarray(beats) / _BIN_S).astype(np.int64)
    row = np.bincount(places, minlength=_bins(beats)).astype(np.float64)
    return ndimage.gaussian_filter1d(row, _BLUR_BINS, mode="constant")


def _between(match: NDArray[np.float64], peak: int) -> float:
    """Where between the bins the top of the parabola through three of them lies, −½ to ½."""
    if not 0 < peak < match.size - 1:
        return 0.0
    left, top, right = match[peak - 1 : peak + 2]
    curvature = left - 2.0 * top + right
    return float(np.clip(0.5 * (left - right) / curvature, -0.5, 0.5)) if curvature < 0 else 0.0
