"""Music with known stems: a composer, two bands and a mixing desk.

from streamsep.synthesis import synthesise_song

song = synthesise_song(seed=7, duration_s=12.0)
song.mixture, song.stems["vocals"]  # float32 [C=2, T]
"""

from __future__ import annotations

from streamsep.synthesis.composer import compose
from streamsep.synthesis.procedural import ProceduralBand
from streamsep.synthesis.score import STEMS, Score
from streamsep.synthesis.song import Song

__all__ = ["STEMS", "ProceduralBand", "Score", "Song", "compose", "synthesise_song"]


def synthesise_song(seed: int, duration_s: float) -> Song:
    """Compose a song and have the procedural band play it at 44.1 kHz.

    Args:
        seed: any non-negative number; the same seed and duration give the same samples.
        duration_s: length of the song, seconds, above 0.
    """
    return ProceduralBand().play(compose(seed, duration_s), seed)
