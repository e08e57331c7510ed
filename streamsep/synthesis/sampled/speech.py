"""Synthetic speech, taken apart by the WORLD vocoder so that it can be sung.

espeak-ng speaks a few nonsense verses; WORLD describes them every 5 ms by a pitch, a spectral
envelope (the vowel) and an aperiodicity (how much of each band is breath). Syllables are found as
the hills of loudness: between two valleys there is one, and its top lies in the vowel.

espeak-ng speaks at 22.05 kHz. The envelope's upper octave, which is missing, is continued from
the last bins, falling, and made of breath alone, as in real sibilants.

Source: Morise, Yokomori, Ozawa, "WORLD: a vocoder-based high-quality speech synthesis system for
real-time applications", IEICE Transactions 2016.
"""

from __future__ import annotations

import io
import itertools
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
from scipy import signal

from streamsep.errors import MissingToolError
from streamsep.synthesis.sampled.tools import find_program, load_package

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FRAME_S", "Speech", "SpeechSynthesiser", "Syllable"]

FRAME_S = 0.005

_WORDS: dict[str, str] = {
    "en": "love night you away fire light down road baby never tonight heart gone shine dream "
    "river home feel alone running stars wait tomorrow burning sky hold me nobody golden rain "
    "summer change believe ocean yesterday dancing slow again falling window streets",
    "it": "amore notte luna mare stella portami lontano vita sogno cuore strada mia canto sole "
    "vento anima bella sempre domani piove ancora fuoco cielo parole mani settembre gelato",
    "es": "noche corazón vida fuego luna baila conmigo siempre camino cielo mañana mar tierra "
    "quiero lejos alma sueño ciudad gente lluvia sangre volver dulce calle guitarra verano",
    "de": "nacht herz licht feuer himmel immer weiter leben traum regen sommer straße allein "
    "morgen wasser sterne heimweh fliegen niemals gestern liebe dunkel schatten zeit ohne dich",
    "fr": "nuit amour soleil jamais toujours coeur lumière rêve chanson ciel encore demain "
    "maison rivière doucement pluie danser solitude étoile fenêtre avec moi silence jardin",
    "pt-br": "noite saudade coração vida mar amanhã sonho menina cidade chuva estrela longe "
    "cantar verão tristeza caminho beijo samba janela tempo",
}
_FEMALE = ("f1", "f2", "f3", "f4", "f5", "Alicia", "Andrea", "Annie", "belinda", "linda")
_MALE = ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "adam", "Alex", "Andy", "john", "max", "pablo")


@dataclass(frozen=True, slots=True)
class Syllable:
    """A syllable in frames: from `start` to before `stop`, with its vowel's top at `nucleus`."""

    start: int
    nucleus: int
    stop: int


@dataclass(frozen=True, slots=True)
class Speech:
    """Words taken apart by WORLD.

    Attributes:
        pitch_hz: float64 [N], one per 5 ms frame; 0 where there is no voice.
        log_envelope: float32 [N, F=1025], natural logarithm of the power spectrum.
        aperiodicity: float32 [N, F=1025], 0 (tone) .. 1 (breath).
        syllables: in spoken order, at least one.
    """

    pitch_hz: NDArray[np.float64]
    log_envelope: NDArray[np.float32]
    aperiodicity: NDArray[np.float32]
    syllables: tuple[Syllable, ...]


class SpeechSynthesiser:
    """espeak-ng and WORLD.

    Raises:
        MissingToolError: espeak-ng or pyworld is not installed.
    """

    def __init__(self) -> None:
        self._espeak = find_program("espeak-ng")
        self.world: Any = load_package("pyworld")

    def speak(self, rng: np.random.Generator, words: int, *, high: bool) -> Speech:
        """Let a voice drawn at random say words drawn at random.

        Args:
            rng: draws language, voice, speed and words.
            words: how many.
            high: whether the voice sings high: women's voices are then likelier.
        """
        language = str(rng.choice(list(_WORDS)))
        vocabulary = _WORDS[language].split()
        text = " ".join(rng.choice(vocabulary, size=words))
        female = rng.random() < (0.85 if high else 0.15)
        variant = str(rng.choice(_FEMALE if female else _MALE))
        command = [self._espeak, "-v", f"{language}+{variant}", "-s", str(rng.integers(120, 170))]
        command += ["-p", str(rng.integers(30, 70)), "--stdout", text]
        done = subprocess.run(command, capture_output=True, check=False)
        try:
            spoken, sample_rate = soundfile.read(io.BytesIO(done.stdout), dtype="float64")
        except soundfile.LibsndfileError as error:
            complaint = done.stderr.decode(errors="replace").strip() or "no audio"
            raise MissingToolError(
                f"espeak-ng could not speak as {language}+{variant} ({complaint}); "
                "install its voices (Debian: apt install espeak-ng-data)"
            ) from error
        return self._take_apart(spoken, sample_rate)

    def _take_apart(self, spoken: NDArray[np.float64], sample_rate: int) -> Speech:
        period_ms = 1000.0 * FRAME_S
        rough, times = self.world.dio(spoken, sample_rate, frame_period=period_ms)
        pitch = self.world.stonemask(spoken, rough, times, sample_rate)
        envelope = self.world.cheaptrick(spoken, pitch, times, sample_rate)
        breath = self.world.d4c(spoken, pitch, times, sample_rate)
        log_envelope = _fill(np.log(envelope + 1e-12).astype(np.float32), sample_rate)
        loudness = 0.5 * np.log(np.mean(envelope[:, 5:200], axis=1) + 1e-9)
        return Speech(
            pitch, _octave_up(log_envelope), _all_breath(breath), _syllables(loudness, pitch)
        )


def _fill(log_envelope: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """Raise the spectrum's holes to a floor that falls by 7 dB an octave.

    espeak-ng builds speech from a few resonances with nothing between; people leave no such holes.
    """
    bins = log_envelope.shape[1]
    octaves = np.log2(np.maximum(np.arange(bins) * sample_rate / (2 * bins - 2), 500.0) / 500.0)
    low = log_envelope[:, bins // 50 : bins // 5].mean(axis=1, keepdims=True)
    floor = low - 2.0 - 1.6 * octaves.astype(np.float32)
    filled: NDArray[np.float32] = np.logaddexp(log_envelope, floor.astype(np.float32))
    return filled


def _octave_up(log_envelope: NDArray[np.float32]) -> NDArray[np.float32]:
    """Continue the envelope over twice the band, falling by 18 dB an octave."""
    bins = log_envelope.shape[1]
    last = log_envelope[:, -bins // 6 : -4].mean(axis=1, keepdims=True)
    octaves = np.log2(np.arange(bins, 2 * bins - 1, dtype=np.float32) / (bins - 1))
    return np.concatenate([log_envelope, last - np.float32(4.1) * octaves], axis=1)


def _all_breath(aperiodicity: NDArray[np.float64]) -> NDArray[np.float32]:
    frames, bins = aperiodicity.shape
    top = np.ones((frames, bins - 1), dtype=np.float32)
    return np.concatenate([aperiodicity.astype(np.float32), top], axis=1)


def _syllables(loudness: NDArray[np.float64], pitch: NDArray[np.float64]) -> tuple[Syllable, ...]:
    window = signal.windows.hann(15)
    hills = np.convolve(loudness, window / window.sum(), mode="same")
    voiced = np.convolve(pitch > 0.0, np.ones(9) / 9, mode="same")
    # A held vowel wanders around its top, which must lie well inside the voice to be one.
    firm = np.where(voiced > 0.99, hills, -np.inf)
    found, _ = signal.find_peaks(hills + 2.0 * voiced, distance=16, prominence=0.25)
    lows = [max(int(top) - 10, 0) for top in found]
    inside = [low + int(np.argmax(firm[low : low + 21])) for low in lows]
    tops = np.unique(np.array([top for top in inside if np.isfinite(firm[top])], dtype=np.intp))
    if not tops.size:
        return (Syllable(0, len(hills) // 2, len(hills)),)
    valleys = [int(left + np.argmin(hills[left:right])) for left, right in itertools.pairwise(tops)]
    # A syllable beside a pause does not hold the pause.
    edges = [max(0, int(tops[0]) - 30), *valleys, min(len(hills), int(tops[-1]) + 50)]
    return tuple(
        Syllable(max(start, int(top) - 40), int(top), min(stop, int(top) + 60))
        for start, top, stop in zip(edges, tops, edges[1:], strict=False)
    )
