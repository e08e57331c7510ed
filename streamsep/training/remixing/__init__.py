r"""Realistic remixes: new songs from the stems of songs that fit each other, for fine-tuning.

Training takes every stem of an example from another song, wherever it happens to be, and so forbids
the network to rely on how music hangs together. Fine-tuning then shows it what real mixtures are
like: stems that share a beat and a key. There are few songs with known stems, but many ways to
combine those that nearly fit::

    host   drums ──► beats, tempo        how fast must the guest play,       speed
           bass ───► chroma              how far must it be transposed,      semitones
    guest  drums ──► beats, tempo   ──►  how late must it start?             lag
           bass ───► chroma                              │
                                                         ▼
           other ──► stretch, transpose, shift ─────► remix ◄──── what the host keeps

`analysis` listens to a song, `matching` says which songs fit, `alignment` lays beats onto beats,
`planning` draws who lends what to whom, `mixing` makes it sound, `production` does it for a folder
of songs. `analysis_cache` keeps what was heard, `made_before` judges remixes that are there.

Source: "Hybrid Spectrogram and Waveform Source Separation", section "Realistic remix of tracks".
"""

from __future__ import annotations

from streamsep.training.remixing.matching import RemixSettings
from streamsep.training.remixing.production import Remixes, remix_songs

__all__ = ["RemixSettings", "Remixes", "remix_songs"]
