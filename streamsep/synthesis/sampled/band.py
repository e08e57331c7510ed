"""The sampled band: hands the parts of a score to their players and mixes what they play."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamsep.synthesis import desk
from streamsep.synthesis.sampled.choir import sing_part
from streamsep.synthesis.sampled.instruments import play_bass, play_drums, play_other
from streamsep.synthesis.sampled.sampler import Sampler
from streamsep.synthesis.sampled.speech import SpeechSynthesiser
from streamsep.synthesis.sampled.tools import find_soundfonts
from streamsep.synthesis.score import STEMS, Stem
from streamsep.synthesis.song import Song

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from streamsep.synthesis.score import Part, Score

__all__ = ["SampledBand"]

_BACKING_DB = -7.0
_INSTRUMENTS = {"drums": play_drums, "bass": play_bass, "other": play_other}


class SampledBand:
    """Musicians who play sampled instruments and sing with a vocoder's voice.

    Args:
        soundfonts: SoundFont 2 files; by default the MIT-licensed ones of Debian that are
            installed.
        sample_rate: samples per second of what it plays.

    Raises:
        MissingToolError: a program, a package or every default soundfont is missing.
        InputError: a file given is no soundfont.
    """

    def __init__(self, soundfonts: Sequence[Path] | None = None, sample_rate: int = 44100) -> None:
        self.sample_rate = sample_rate
        self._synthesiser = SpeechSynthesiser()
        self._sampler = Sampler(
            find_soundfonts() if soundfonts is None else soundfonts, sample_rate
        )

    def play(self, score: Score, seed: int) -> Song:
        """Play a score.

        Args:
            score: what to play.
            seed: draws instruments, voices, rooms and levels; the same seed gives the same song.

        Returns:
            The song; stems without a part are silent.
        """
        rng = np.random.default_rng(seed)
        length = round(score.duration_s * self.sample_rate)
        stems: dict[Stem, NDArray[np.float32]] = {
            stem: np.zeros((2, length), dtype=np.float32) for stem in STEMS
        }
        for part in score.parts:
            if part.notes:
                stems[part.stem] += self._play_part(part, score, rng)
        return Song(self.sample_rate, desk.balance(stems, rng))

    def _play_part(self, part: Part, score: Score, rng: np.random.Generator) -> NDArray[np.float32]:
        """One part at unit level, or at the level its players chose within their stem."""
        if part.stem == "vocals":
            audio = sing_part(part, score, self._synthesiser, self.sample_rate, rng)
        else:
            audio = _INSTRUMENTS[part.stem](part, score, self._sampler, rng)
        if part.stem == "other":
            return audio
        level = desk.active_rms(audio)
        offset_db = rng.normal(_BACKING_DB, 3.0) if part.role in {"backing", "percussion"} else 0.0
        return audio * np.float32(10.0 ** (offset_db / 20.0) / level if level else 0.0)
