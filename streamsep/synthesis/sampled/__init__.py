"""A band of sampled instruments and a re-pitched synthetic voice; for training only.

The numpy band of `streamsep.synthesis.procedural` needs nothing but numpy and scipy, and sounds
like it. This one borrows recordings of real instruments from General MIDI soundfonts, played by
fluidsynth, and lets espeak-ng speak words that the WORLD vocoder then sings. It needs the extra
``streamsep[sampled]``, two programs and a soundfont; `SampledBand` says which one is missing.
"""

from __future__ import annotations

from streamsep.synthesis.sampled.band import SampledBand

__all__ = ["SampledBand"]
