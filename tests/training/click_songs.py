"""Songs whose tempo, first beat and key are known, because every stem sounds on every beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import soundfile

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["RATE", "ClickSong", "bass_line", "drum_beats", "onsets"]

RATE = 44_100
STEP_S = 0.04
SCALE = (0, 7, 4, 5, 0, 9, 7, 2)


@dataclass(frozen=True)
class ClickSong:
    """What a song sounds like.

    Attributes:
        bpm: beats per minute.
        key: MIDI note of the bass's lowest note.
        first_s: seconds to the first beat.
        silence_s: seconds of silence before the song.
        seconds: length of the song without them.
        silent: stems that play nothing.
    """

    bpm: float = 120.0
    key: int = 36
    first_s: float = 0.25
    silence_s: float = 0.0
    seconds: float = 9.0
    silent: tuple[str, ...] = ()

    @property
    def beats(self) -> NDArray[np.float64]:
        """Seconds from the start of the file."""
        first = self.silence_s + self.first_s
        return np.arange(first, self.silence_s + self.seconds - 0.3, 60.0 / self.bpm)

    def write(self, folder: Path) -> Path:
        """Write the four stems as 16-bit flac files."""
        folder.mkdir(parents=True)
        length = int((self.silence_s + self.seconds) * RATE)
        stems = {
            "drums": drum_beats(self.beats, length),
            "bass": bass_line(self.beats, length, self.key),
            "other": _tones(self.beats, length, [880.0]),
            "vocals": _tones(self.beats, length, [1320.0, 1650.0]),
        }
        for stem, mono in stems.items():
            sound = np.zeros_like(mono) if stem in self.silent else mono
            stereo = np.stack([0.3 * sound, 0.2 * sound], axis=1)
            soundfile.write(folder / f"{stem}.flac", stereo, RATE, subtype="PCM_16")
        return folder


def drum_beats(beats: NDArray[np.float64], length: int) -> NDArray[np.float32]:
    """A short burst of noise on every beat, float32 [T]."""
    size = int(0.1 * RATE)
    hit = np.random.default_rng(0).standard_normal(size) * np.exp(-np.arange(size) / (0.02 * RATE))
    sound = np.zeros(length)
    for start in np.rint(beats * RATE).astype(int):
        sound[start : start + size] += hit[: length - start]
    return (0.3 * sound).astype(np.float32)


def bass_line(beats: NDArray[np.float64], length: int, key: int) -> NDArray[np.float32]:
    """A plucked note with overtones on every beat, float32 [T]."""
    notes = [key + SCALE[number % len(SCALE)] for number in range(len(beats))]
    hertz = [440.0 * 2.0 ** ((note - 69) / 12.0) for note in notes]
    return sum(
        (_tones(beats, length, [partial * note for note in hertz], 0.3) / partial)
        for partial in (1, 2, 3)
    )


def _tones(
    beats: NDArray[np.float64], length: int, hertz: list[float], decay_s: float = 0.05
) -> NDArray[np.float32]:
    sound = np.zeros(length)
    for number, start in enumerate(np.rint(beats * RATE).astype(int)):
        time = np.arange(min(int(0.3 * RATE), length - start)) / RATE
        tone = np.sin(2 * np.pi * hertz[number % len(hertz)] * time) * np.exp(-time / decay_s)
        sound[start : start + time.size] += tone
    return (0.5 * sound).astype(np.float32)


def onsets(sound: NDArray[np.float32]) -> NDArray[np.float64]:
    """Seconds at which [T] grows loud after it was soft."""
    step = RATE // 1000
    level = np.abs(sound[: sound.size // step * step]).reshape(-1, step).max(axis=1)
    loud = level > 0.25 * level.max()
    before = int(STEP_S * 1000)
    return np.array(
        [i / 1000 for i in np.flatnonzero(loud) if i >= before and not loud[i - before : i].any()]
    )
