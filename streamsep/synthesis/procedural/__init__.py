"""A band made of numpy and scipy alone: it needs no samples, no soundfont and no other program.

    plucked, electric, bells ─► bank_bass, bank_other ─► patches ─┐
                                         drums, percussion ───────┼─► band ─► Song
                                         voice ───────────────────┘

Every pitched instrument reads band-limited wavetables, so nothing aliases: a table is made for
each note with just the harmonics that fit below half the sample rate. What changes while a note
sounds (a string that dulls, a filter that opens, a mouth that moves from one vowel to the next)
is a row of such tables, and time moves through the row.
"""

from streamsep.synthesis.procedural.band import ProceduralBand

__all__ = ["ProceduralBand"]
