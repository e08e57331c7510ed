"""Listening to a song: where its beats are, how fast they come, and which notes its bass plays.

The drums alone are tracked for beats and the bass alone gives the notes: on single stems both are
easy. All times count from the moment the song begins, which is its first sample that is not silent,
so that songs with and without a pause before them meet.

A song without beats cannot be fitted to others and is left out. One without a bass has no known
key: it takes and lends drums only.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from streamsep.config.yaml_file import Document
from streamsep.errors import MissingToolError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from numpy.typing import NDArray

    from streamsep.files import TrackFolder

__all__ = [
    "BASS",
    "DRUMS",
    "LEAST_BEATS",
    "SILENCE",
    "SongAnalysis",
    "analyse",
    "bass_chroma",
    "beat_period",
    "find_beats",
    "prepare_to_listen",
]

DRUMS = "drums"
BASS = "bass"

SILENCE = 1e-3
"""Samples below this, −60 dB of full scale, are silence."""

LEAST_BEATS = 8
"""Two bars: with fewer, neither tempo nor place of the beats is certain."""

_HOP = 512
_RMS_WINDOW = 2048
_PLAYING = 0.05
"""Share of the loudest RMS from which on the bass plays."""


class SongAnalysis(Document):
    """What fitting needs to know of a song.

    Attributes:
        start: samples of silence before the song.
        length: samples from there to its end.
        sounding: the stems that are not silent.
        beats: seconds from the start to every beat, rising; empty where the drums have no beat.
        period_s: seconds from beat to beat; 0 without beats.
        chroma: shares of the twelve pitch classes from C on in what the bass plays, sum 1; empty
            where it plays nothing.
    """

    start: int
    length: int
    sounding: tuple[str, ...]
    beats: tuple[float, ...]
    period_s: float
    chroma: tuple[float, ...]


def analyse(track: TrackFolder, stems: Sequence[str], sample_rate: int) -> SongAnalysis:
    """Listen to a song.

    Args:
        track: a song.
        stems: what its files are, in their order; drums and bass are among them.
        sample_rate: samples per second.

    Raises:
        InputError: a stem cannot be read.
        MissingToolError: librosa is not installed.
    """
    start = track.length
    sounding = []
    mono = {}
    for number, stem in enumerate(stems):
        audio = track.read(number, 0, track.length).numpy()
        loud = np.flatnonzero(np.abs(audio).max(axis=0) > SILENCE)
        if loud.size:
            start = min(start, int(loud[0]))
            sounding.append(stem)
        if stem in (DRUMS, BASS):
            mono[stem] = audio.mean(axis=0)
    beats = find_beats(mono[DRUMS][start:], sample_rate)
    return SongAnalysis(
        start=start,
        length=track.length - start,
        sounding=tuple(sounding),
        beats=tuple(beats.tolist()),
        period_s=beat_period(beats) if beats.size else 0.0,
        chroma=tuple(bass_chroma(mono[BASS][start:], sample_rate).tolist()),
    )


def find_beats(drums: NDArray[np.float32], sample_rate: int) -> NDArray[np.float64]:
    """Seconds to every beat of a mono drum track [T]; none if there are less than `LEAST_BEATS`.

    Raises:
        MissingToolError: librosa is not installed.
    """
    if drums.size < _RMS_WINDOW or np.abs(drums).max() <= SILENCE:
        return np.zeros(0)
    _, beats = _librosa().beat.beat_track(y=drums, sr=sample_rate, hop_length=_HOP, units="time")
    return np.round(beats, 6) if len(beats) >= LEAST_BEATS else np.zeros(0)


def prepare_to_listen(sample_rate: int) -> None:
    """Have librosa compile what it compiles when it is first used.

    It keeps the result in a cache on the disk. Processes that all write it at once have been seen
    to crash, so one comes first.

    Raises:
        MissingToolError: librosa is not installed.
    """
    clicks = np.zeros(8 * sample_rate, np.float32)
    clicks[:: sample_rate // 2] = 1.0
    find_beats(clicks, sample_rate)
    bass_chroma(np.sin(np.arange(2 * sample_rate, dtype=np.float32) / 50), sample_rate)


def beat_period(beats: NDArray[np.float64]) -> float:
    """Seconds from beat to beat: the median of the slopes between any two beats (Theil and Sen).

    The tracker places beats on frames of some 12 ms and states the tempo to 2 %, by which two songs
    would drift apart by a beat in half a minute. The slopes err by some 0.03 %; least squares did
    by 0.3 % where the tracker had lost its way for a few beats.

    Args:
        beats: seconds, rising, at least two; single beats may be missing.
    """
    gaps = np.diff(beats)
    steps = np.maximum(1.0, np.rint(gaps / np.median(gaps)))
    numbers = np.concatenate([[0.0], np.cumsum(steps)])
    one, later = np.triu_indices(beats.size, 1)
    return float(np.median((beats[later] - beats[one]) / (numbers[later] - numbers[one])))


def bass_chroma(bass: NDArray[np.float32], sample_rate: int) -> NDArray[np.float64]:
    """Shares of the pitch classes in a mono bass track [T], float64 [12], or [0] if it is silent.

    Raises:
        MissingToolError: librosa is not installed.
    """
    if bass.size < _RMS_WINDOW or np.abs(bass).max() <= SILENCE:
        return np.zeros(0)
    feature = _librosa().feature
    level = feature.rms(y=bass, frame_length=_RMS_WINDOW, hop_length=_HOP)[0]
    with warnings.catch_warnings():
        # A bass without overtones has nothing to estimate the tuning from: then it is A = 440 Hz.
        # And a short one is padded.
        warnings.simplefilter("ignore", UserWarning)
        chroma = feature.chroma_cqt(y=bass, sr=sample_rate, hop_length=_HOP)
    frames = min(level.size, chroma.shape[1])
    playing = level[:frames] >= _PLAYING * level.max()
    shares = chroma[:, :frames][:, playing].mean(axis=1, dtype=np.float64)
    return np.round(shares / shares.sum(), 6)


def _librosa() -> ModuleType:
    """The package that listens; it takes seconds to import, so it is imported when it must."""
    try:
        import librosa
    except ImportError as error:
        raise MissingToolError(
            "finding beats and keys needs the package librosa, which cannot be imported "
            f"({error}): uv sync --inexact --extra training"
        ) from error
    return librosa
