"""Which songs fit: how much faster one must play and how far it must be transposed for another.

Artifacts grow with both, so both are limited. Tempo is compared up to factors of two, because two
songs whose beats are twice as dense in one as in the other go together, and the trackers of beats
do not agree on such factors anyway.

Source: "Hybrid Spectrogram and Waveform Source Separation", section "Realistic remix of tracks".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from streamsep.config.yaml_file import Document
from streamsep.training.remixing.analysis import DRUMS, SongAnalysis

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["OCTAVES", "Fit", "RemixSettings", "fit_guest", "semitones_between", "speed_between"]

OCTAVES = (0.25, 0.5, 1.0, 2.0, 4.0)
"""A beat may meet every beat of the other song, or each half, quarter, second or fourth of it."""

_LEAST_SHARE = 0.5
_ROTATIONS = (np.arange(12)[None, :] - np.arange(12)[:, None]) % 12
"""Row k takes chroma to what it is k semitones up."""


class RemixSettings(Document):
    """What may be combined.

    Attributes:
        seed: decides what is, of all that may.
        max_semitones: the furthest transposition.
        max_tempo: the largest change of tempo, as a share of it.
    """

    seed: int = Field(default=0, ge=0)
    max_semitones: int = Field(default=3, ge=0, le=6)
    max_tempo: float = Field(default=0.15, ge=0.0, le=0.3)


@dataclass(frozen=True, slots=True)
class Fit:
    """How a song must be changed to fit another.

    Attributes:
        song: the guest's name.
        speed: its new tempo over its old one.
        semitones: its transposition; None where the keys are unknown or too far apart, which leaves
            the drums.
        sounding: its stems that are not silent.
    """

    song: str
    speed: float
    semitones: int | None
    sounding: tuple[str, ...]

    def lends(self, stem: str) -> bool:
        """Whether this stem of the guest fits the host."""
        return stem in self.sounding and (stem == DRUMS or self.semitones is not None)


def fit_guest(
    name: str, guest: SongAnalysis, host: SongAnalysis, settings: RemixSettings
) -> Fit | None:
    """How a guest must be changed to fit a host, or None if it does not.

    Neither does it where one has no beats, nor where it would end before half of the host is over.

    Args:
        name: the guest's.
        guest: who would lend a stem.
        host: whose beat and key it would take.
        settings: the limits.
    """
    if not host.beats or not guest.beats:
        return None
    speed = speed_between(host.period_s, guest.period_s, settings.max_tempo)
    if speed is None or guest.length / speed < _LEAST_SHARE * host.length:
        return None
    semitones = None
    if host.chroma and guest.chroma:
        nearest = semitones_between(host.chroma, guest.chroma)
        semitones = nearest if abs(nearest) <= settings.max_semitones else None
    return Fit(name, round(speed, 6), semitones, guest.sounding)


def speed_between(host_period_s: float, guest_period_s: float, limit: float) -> float | None:
    """How much faster a guest must play so that its beats can meet the host's.

    Args:
        host_period_s: seconds from beat to beat, above 0.
        guest_period_s: the same of the guest.
        limit: the largest change of tempo, 0 to 0.3.

    Returns:
        The new tempo over the old one, 1 − limit to 1 + limit, or None if that is not enough.
    """
    speeds = [guest_period_s / host_period_s * octave for octave in OCTAVES]
    nearest = min(speeds, key=lambda speed: abs(math.log(speed)))
    return nearest if abs(nearest - 1.0) <= limit else None


def semitones_between(host_chroma: Sequence[float], guest_chroma: Sequence[float]) -> int:
    """By how many semitones a guest must be transposed so that its notes match the host's best.

    Args:
        host_chroma: shares of the twelve pitch classes, sum 1.
        guest_chroma: the same of the guest.

    Returns:
        −5 to 6: of the twelve rotations, that of the least mean absolute difference.
    """
    transposed = np.asarray(guest_chroma)[_ROTATIONS]
    up = int(np.abs(np.asarray(host_chroma) - transposed).mean(axis=1).argmin())
    return up if up <= 6 else up - 12
