r"""BSS Eval, version 4: what is wrong with an estimate, by kind.

The MUSDB figures of published networks are these. An estimate is split into its reference and three
errors, each the difference of two ever more generous explanations of the estimate::

    reference ──► own reference,  ──► all references, ──► estimate
                  filtered            filtered
              e_spat              e_interf            e_artif
              a wrong equaliser   another source      what no filter of any
              or position         heard through       reference explains

The scores are ratios of energies in dB, higher is better, taken over frames of the track:

- **SDR**, signal to distortion: reference / all three errors together;
- **ISR**, image to spatial distortion: reference / e_spat;
- **SIR**, signal to interference: filtered own reference / e_interf;
- **SAR**, signals to artifacts: all filtered references / e_artif.

The filters come from the whole track (`distortion_filters`), or in version 3 from each frame. A
frame is judged for itself: its reference is silent before it, and what the filters make of it rings
on for L − 1 samples after it.

The work for four stereo sources and 512 taps: 25 GFLOP for the filters, whatever the length, and
0.13 GFLOP per second of audio at 44.1 kHz, more than half of it in FFTs.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from scipy.fft import irfft, rfft

from streamsep.errors import ConfigError, InputError
from streamsep.evaluation.distortion_filters import (
    BATCH_VALUES,
    DistortionFilters,
    cut,
    distortion_filters,
    fft_blocks,
)

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["BssScores", "bss_eval"]

SCAN = 2**16
"""Samples looked at together in search of a sound."""


@dataclass(frozen=True, slots=True, eq=False)
class BssScores:
    """Scores in dB of S sources over N frames; NaN where a frame cannot be judged.

    Attributes:
        sdr: signal to distortion, float64 [S, N].
        isr: image to spatial distortion, float64 [S, N].
        sir: signal to interference, float64 [S, N]; infinite where there is only one source.
        sar: signals to artifacts, float64 [S, N].
    """

    sdr: NDArray[np.float64]
    isr: NDArray[np.float64]
    sir: NDArray[np.float64]
    sar: NDArray[np.float64]

    def median(self) -> dict[str, NDArray[np.float64]]:
        """The scores of the track: by name the median [S] over the frames that could be judged.

        NaN for a source without any such frame.
        """
        return {
            field.name: np.array([_median(row) for row in getattr(self, field.name)])
            for field in fields(self)
        }


def bss_eval(
    references: NDArray[Any],
    estimates: NDArray[Any],
    *,
    window: int,
    hop: int,
    framewise_filters: bool = False,
    filter_length: int = 512,
) -> BssScores:
    """Score all sources of a track together.

    Frames start at multiples of `hop` and only whole ones count; a track that is not longer than
    `window` is one frame. A frame in which any reference or any estimate is silent gives NaN for
    all sources, because its filters would be ambiguous. Silent means, as in museval, that the
    channels sum to zero at every sample.

    Scores above about 100 dB say that an error is at the level of rounding, no more.

    Args:
        references: true sources [S, C, T], real.
        estimates: estimated sources [S, C, T], in the same order.
        window: samples per frame, at least 1; 44 100 for the MUSDB figures.
        hop: samples from one frame's start to the next one's, at least 1; 44 100 likewise.
        framewise_filters: new filters for every frame (version 3) rather than for the track
            (version 4). Far slower.
        filter_length: taps of the filters, at least 1.

    Raises:
        InputError: the shapes differ or are not [S, C, T], or samples are not finite.
        ConfigError: a number is out of its range.

    Source: Stöter, Liutkus and Ito, "The 2018 Signal Separation Evaluation Campaign", LVA/ICA 2018,
    section 4; equal to museval 0.4.1.
    """
    _check_sounds(references, estimates)
    _check_numbers(window=window, hop=hop, filter_length=filter_length)
    sources, _, length = references.shape
    frames = _frames(length, window, hop)
    judged = [
        index
        for index, frame in enumerate(frames)
        if _all_sound(references, frame) and _all_sound(estimates, frame)
    ]
    scores = np.full((4, sources, len(frames)), np.nan)
    if judged and not framewise_filters:
        filters = distortion_filters(references, estimates, filter_length)
        scores[..., judged] = _scores(references, estimates, filters, [frames[i] for i in judged])
    elif framewise_filters:
        for index in judged:
            sounds = references[..., frames[index]], estimates[..., frames[index]]
            filters = distortion_filters(*sounds, filter_length)
            whole = slice(0, sounds[0].shape[-1])
            scores[..., index] = _scores(*sounds, filters, [whole])[..., 0]
    return BssScores(*scores)


def _check_sounds(references: NDArray[Any], estimates: NDArray[Any]) -> None:
    if references.shape != estimates.shape:
        raise InputError(
            f"references have the shape {references.shape} and estimates {estimates.shape}, "
            "expected the same; cut or pad them to one length"
        )
    if references.ndim != 3 or 0 in references.shape:
        raise InputError(
            f"sounds have the shape {references.shape}, expected [sources, channels, samples] "
            "with at least one of each"
        )


def _check_numbers(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise ConfigError(f"{name} must be at least 1 sample, got {number}")


def _frames(length: int, window: int, hop: int) -> list[slice]:
    """Whole windows, or all there is if that is less than one."""
    if length <= window:
        return [slice(0, length)]
    return [slice(start, start + window) for start in range(0, length - window + 1, hop)]


def _all_sound(signals: NDArray[Any], frame: slice) -> bool:
    """Whether no source is silent in a frame, by the sum of its channels."""
    heard = np.zeros(len(signals), dtype=bool)
    for start in range(frame.start, frame.stop, SCAN):
        heard |= signals[..., start : min(start + SCAN, frame.stop)].sum(axis=1).any(axis=1)
        if heard.all():
            return True
    return False


def _scores(
    references: NDArray[Any],
    estimates: NDArray[Any],
    filters: DistortionFilters,
    frames: list[slice],
) -> NDArray[np.float64]:
    """SDR, ISR, SIR and SAR [4, S, N] of N frames of equal length."""
    sources, channels, _ = references.shape
    rows, taps = sources * channels, len(filters.joint)
    reach = taps - 1
    size, step = fft_blocks(frames[0].stop - frames[0].start + reach, taps)
    response = rfft(np.concatenate([filters.own, filters.joint], axis=2), n=size, axis=0)
    # A frame rings on for the filters' reach, and is cut into pieces like everything long.
    pieces = [
        (index, start, frame)
        for index, frame in enumerate(frames)
        for start in range(frame.start, frame.stop + reach, step)
    ]
    batch = max(1, BATCH_VALUES // (size * rows))
    energies = np.zeros((len(frames), rows, 4, 2))
    for first in range(0, len(pieces), batch):
        indices, starts, bounds = zip(*pieces[first : first + batch], strict=True)
        # What a filter makes of a sample depends on the reach before it.
        heard = cut(references, [start - reach for start in starts], size, bounds)
        estimate = cut(estimates, starts, step, bounds)
        np.add.at(energies, list(indices), _energies(heard, response, estimate))
    signal, error = energies.reshape(len(frames), sources, channels, 4, 2).sum(axis=2).T
    return _ratio_db(signal, error)


def _energies(
    heard: NDArray[np.float64], response: NDArray[np.complex128], estimate: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Energies of signal and error in the four scores, in n pieces of R channels.

    Args:
        heard: references [reach + T, n, R].
        response: the spectra [F, R, 2R] of the filters to the own and to all references' part.
        estimate: [T, n, R].

    Returns:
        [n, R, 4, 2].
    """
    size, rows, length = len(heard), heard.shape[-1], len(estimate)
    filtered = irfft(rfft(heard, axis=0) @ response, n=size, axis=0, overwrite_x=True)[-length:]
    true, own, joint = heard[-length:], filtered[..., :rows], filtered[..., rows:]
    signal = [_energy(part) for part in (true, own, joint)]
    error = [
        _energy(less - more)
        for more, less in ((true, estimate), (true, own), (own, joint), (joint, estimate))
    ]
    return np.stack([np.stack([signal[0], *signal], axis=-1), np.stack(error, axis=-1)], axis=-1)


def _energy(sound: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.einsum("tnr,tnr->nr", sound, sound)


def _ratio_db(signal: NDArray[np.float64], error: NDArray[np.float64]) -> NDArray[np.float64]:
    """10·log10(signal / error), infinite where there is no error."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(error == 0, np.inf, 10 * np.log10(signal / error))


def _median(scores: NDArray[np.float64]) -> float:
    judged = scores[~np.isnan(scores)]
    return float(np.median(judged)) if len(judged) else float("nan")
