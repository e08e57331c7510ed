r"""The filters through which BSS Eval lets references explain an estimate.

An estimate may differ from its reference by more than a mistake: by an equaliser, a delay, a room.
BSS Eval forgives what a short filter can do. Every channel of every reference passes through a
filter of L taps of its own, and all filters are chosen so that their sum comes as close to a
channel of the estimate as it can::

    ŝ(t)  ≈  Σ_i Σ_a h_i(a) · r_i(t − a)          i: channels of references, a: 0 … L − 1

The least squares solution needs the signals' correlations only. Signals are silent outside their
length, so every pair of channels contributes a matrix that is constant along its diagonals::

    ┌ R_11  R_12  … ┐ ┌ h_1 ┐     ┌ d_1 ┐       R_ij[a, b] = Σ_t r_i(t − a) · r_j(t − b)
    │ R_21  R_22  … │ │ h_2 │  =  │ d_2 │
    └  …     …    … ┘ └  …  ┘     └  …  ┘       d_i[a]     = Σ_t r_i(t − a) · ŝ(t)

One pass over the signals, block by block with FFTs, collects all correlations; one Cholesky
factorisation serves all channels of all estimates.

Two systems are solved: the *joint* one, in which all references explain an estimate together, and
for every source its *own* one, in which only its own reference may.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.fft import irfft, next_fast_len, rfft
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from streamsep.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["DistortionFilters", "cut", "distortion_filters", "fft_blocks"]

EFFICIENT_FFT = 8192
"""FFTs of about this size cost the least per sample: longer ones leave the cache, shorter ones
repeat more of what they overlap."""

BATCH_VALUES = 2**18
"""Samples of all channels that are transformed at once: 2 MiB as float64, with their spectra and
differences as much as a cache holds."""

LEAST_RIDGE = 1e-14
"""Rounding in sums over some thousand taps, where every channel's energy is 1."""


@dataclass(frozen=True, slots=True, eq=False)
class DistortionFilters:
    """How references explain estimates. R is S·C: the channels of all sources in turn.

    Attributes:
        joint: float64 [L, R, R], tap, channel of the references, channel of the estimates: all
            references explain each estimate.
        own: float64 [L, R, R]: each estimate is explained by its own reference alone; taps between
            channels of different sources are zero.
    """

    joint: NDArray[np.float64]
    own: NDArray[np.float64]


def distortion_filters(
    references: NDArray[Any], estimates: NDArray[Any], filter_length: int
) -> DistortionFilters:
    """The filters of least squares for signals that are silent before and after.

    Memory does not grow with T. It is dominated by a square matrix of S·C·`filter_length` rows in
    float64: 128 MiB for four stereo sources and 512 taps.

    Args:
        references: true sources [S, C, T].
        estimates: estimated sources [S, C, T], in the same order.
        filter_length: taps, L, at least 1.

    Raises:
        InputError: a sample is not finite.

    Source: Vincent, Gribonval and Févotte, "Performance measurement in blind audio source
    separation", IEEE TASLP 14(4), 2006, sections II and III-B; for images of several channels
    Vincent et al., "First stereo audio source separation evaluation campaign", ICA 2007.
    """
    sources, channels, _ = references.shape
    among, towards = _correlations(references, estimates, filter_length)
    own = np.zeros_like(towards)
    for source in range(sources):
        its = slice(source * channels, (source + 1) * channels)
        own[:, its, its] = _solve(among[:, its, its], towards[:, its, its])
    return DistortionFilters(joint=_solve(among, towards), own=own)


def fft_blocks(length: int, filter_length: int) -> tuple[int, int]:
    """How to cover samples with FFTs that overlap by the filter's reach.

    Args:
        length: samples to cover, at least 1.
        filter_length: taps, at least 1.

    Returns:
        The FFT's size and the samples that each one covers: its size less `filter_length` − 1.
    """
    reach = filter_length - 1
    longest = max(EFFICIENT_FFT, 4 * filter_length) - reach
    blocks = math.ceil(length / longest)
    size = next_fast_len(math.ceil(length / blocks) + reach, real=True)
    return size, size - reach


def cut(
    signals: NDArray[Any], starts: Sequence[int], size: int, bounds: Sequence[slice]
) -> NDArray[np.float64]:
    """Pieces of signals, with time first so that an FFT leaves all channels of a bin together.

    Args:
        signals: [S, C, T].
        starts: the sample at which each of n pieces starts; it may lie outside the signals.
        size: samples per piece.
        bounds: for each piece the samples outside which it is zero, a part of the signals.

    Returns:
        [size, n, S·C].

    Raises:
        InputError: a sample is not finite.
    """
    rows = signals.shape[0] * signals.shape[1]
    pieces = np.zeros((size, len(starts), rows))
    for index, (start, bound) in enumerate(zip(starts, bounds, strict=True)):
        first, last = max(start, bound.start), min(start + size, bound.stop)
        if first < last:
            sound = signals[..., first:last].reshape(rows, -1)
            pieces[first - start : last - start, index] = sound.T
    if not np.isfinite(pieces).all():
        raise InputError(
            "got samples that are not finite, expected numbers; "
            "find out what wrote them and separate or render again"
        )
    return pieces


def _correlations(
    references: NDArray[Any], estimates: NDArray[Any], filter_length: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What a sample of a reference has to do with the samples from it to L − 1 later.

    Returns:
        Σ_t r_i(t) · r_j(t + lag) and Σ_t r_i(t) · ŝ_j(t + lag), each as [lag, i, j].
    """
    rows, length = references.shape[0] * references.shape[1], references.shape[-1]
    size, step = fft_blocks(length, filter_length)
    batch = max(1, BATCH_VALUES // (size * 2 * rows))
    everything = slice(0, length)
    spectrum = np.zeros((size // 2 + 1, rows, 2 * rows), dtype=np.complex128)
    for start in range(0, length, batch * step):
        starts = range(start, min(start + batch * step, length), step)
        bounds = [everything] * len(starts)
        later = [cut(signals, starts, size, bounds) for signals in (references, estimates)]
        # Without its last L − 1 samples, a piece of a reference meets whole pieces that lie up to
        # L − 1 later, and what the circular correlation wraps around falls on lags nobody reads.
        now = later[0].copy()
        now[step:] = 0
        now_spectrum = rfft(now, axis=0, overwrite_x=True)
        later_spectrum = rfft(np.concatenate(later, axis=2), axis=0, overwrite_x=True)
        spectrum += np.conj(now_spectrum).swapaxes(1, 2) @ later_spectrum
    lags = irfft(spectrum, n=size, axis=0, overwrite_x=True)[:filter_length]
    return lags[..., :rows], lags[..., rows:]


def _solve(among: NDArray[np.float64], towards: NDArray[np.float64]) -> NDArray[np.float64]:
    """The filters [L, R, E] for correlations [L, R, R] among R references and [L, R, E]."""
    # References may differ in level by orders of magnitude; rounding must not favour the loud.
    energy = among[0].diagonal()
    scale = np.sqrt(np.where(energy > 0, energy, 1.0))
    among, towards = among / np.outer(scale, scale), towards / scale[:, None]
    # A silent channel explains nothing: a unit matrix in its place keeps its filters at zero.
    silent = np.flatnonzero(energy <= 0)
    among[0, silent, silent] = 1.0
    # A negative lag is the pair swapped.
    by_lag = np.concatenate([among[:0:-1].swapaxes(1, 2), among])
    factor = _factorised(by_lag)
    filters = _substituted(factor, towards)
    # One step of refinement takes back what rounding and the ridge have cost.
    filters += _substituted(factor, towards - _explained(by_lag, filters))
    return filters / scale[:, None]


def _factorised(by_lag: NDArray[np.float64]) -> tuple[NDArray[np.float64], bool]:
    """The Cholesky factor of the normal equations' matrix, as `cho_solve` takes it."""
    ridge = 0.0
    while True:
        try:
            # Transposed, the rows of numpy are the columns of LAPACK, which then works in place.
            matrix = _normal_matrix(by_lag, ridge).T
            return cho_factor(matrix, lower=False, overwrite_a=True, check_finite=False)
        except LinAlgError:
            # References that filters make of each other, such as two equal channels, leave the
            # filters undetermined, not what they explain. The least ridge that stands above
            # rounding picks one solution.
            ridge = max(10 * ridge, LEAST_RIDGE)


def _normal_matrix(by_lag: NDArray[np.float64], ridge: float) -> NDArray[np.float64]:
    """The matrix's lower triangle, channel by channel, from correlations [2L − 1, R, R]."""
    rows, taps = by_lag.shape[1], (len(by_lag) + 1) // 2
    matrix = np.zeros((rows * taps, rows * taps))
    for i in range(rows):
        for j in range(i + 1):
            # Row a and column b of a block meet at the lag a − b.
            block = sliding_window_view(by_lag[::-1, i, j], taps)[::-1]
            matrix[i * taps : (i + 1) * taps, j * taps : (j + 1) * taps] = block
    matrix.flat[:: rows * taps + 1] += ridge
    return matrix


def _substituted(
    factor: tuple[NDArray[np.float64], bool], towards: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The filters [L, R, E] that a factorised matrix takes to correlations [L, R, E]."""
    taps, rows, targets = towards.shape
    known = towards.swapaxes(0, 1).reshape(rows * taps, targets)
    filters = cho_solve(factor, known, check_finite=False)
    return filters.reshape(rows, taps, targets).swapaxes(0, 1)


def _explained(by_lag: NDArray[np.float64], filters: NDArray[np.float64]) -> NDArray[np.float64]:
    """The matrix times filters [L, R, E]: a convolution, since its blocks are Toeplitz."""
    taps = len(filters)
    size = next_fast_len(len(by_lag) + taps - 1, real=True)
    product = rfft(by_lag, n=size, axis=0) @ rfft(filters, n=size, axis=0)
    return irfft(product, n=size, axis=0)[taps - 1 : 2 * taps - 1]
