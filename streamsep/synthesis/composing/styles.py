"""What tells one style of music from another: tempo, modes, grooves, bass lines, instruments.

A drum line is a string with a digit for every sixteenth: the chance, in ninths, that a song's
pattern has a stroke there. Two songs of one style therefore share a feel, not a pattern.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["STYLES", "Groove", "Style"]


@dataclass(frozen=True, slots=True)
class Groove:
    """The lines of a drum pattern, each 16 digits.

    Attributes:
        kick: the bass drum.
        snare: the backbeat.
        cymbal: hats or ride.
        ghost: quiet snare strokes.
        open_hat: where the hat opens.
        backbeat: what plays the snare line: ``snare``, ``rim`` or ``clap``.
    """

    kick: str
    snare: str
    cymbal: str
    ghost: str = "0000000000000000"
    open_hat: str = "0000000000000000"
    backbeat: str = "snare"


@dataclass(frozen=True, slots=True)
class Style:
    """A style.

    Attributes:
        name: as it appears in the score.
        tempo_bpm: lowest and highest tempo.
        modes: names of scales to draw from.
        grooves: drum patterns to draw from.
        bass_lines: names of bass patterns to draw from (`streamsep.synthesis.composing.bassist`).
        roles: accompaniment that fits, the most typical first.
        swing: lowest and highest swing.
        swing_steps: half of a swung pair, in steps.
        sevenths: chance that chords have a seventh.
    """

    name: str
    tempo_bpm: tuple[float, float]
    modes: tuple[str, ...]
    grooves: tuple[Groove, ...]
    bass_lines: tuple[str, ...]
    roles: tuple[str, ...]
    swing: tuple[float, float] = (0.5, 0.5)
    swing_steps: int = 2
    sevenths: float = 0.2


EIGHTHS = "9090909090909090"
SIXTEENTHS = "9999999999999999"
QUARTERS = "9000900090009000"
OFFBEATS = "0090009000900090"
BACKBEAT = "0000900000009000"

ROCK_GROOVES = (
    Groove("9000000090300020", BACKBEAT, EIGHTHS, "0200001002000010", "0000000000000020"),
    Groove("9010000090900000", BACKBEAT, EIGHTHS),
    Groove("9000003090000030", BACKBEAT, QUARTERS, "0000000100100100"),
    Groove("9000900090009000", "0000900000009000", EIGHTHS, open_hat="0010001000100010"),
)
METAL_GROOVES = (
    Groove("9090909090909090", BACKBEAT, QUARTERS),
    Groove("9999999999999999", "0000000090000000", QUARTERS),
    Groove("9099909990999099", BACKBEAT, QUARTERS),
    Groove("9090909090909090", "0909090909090909", "9090909090909090"),
    Groove("9003003090030030", "0000000090000000", QUARTERS),
)
POP_GROOVES = (
    Groove("9000003090300000", BACKBEAT, EIGHTHS, backbeat="clap"),
    Groove("9000000390000030", BACKBEAT, "9393939393939393", "0100000101000001"),
    Groove("9000009000900000", BACKBEAT, EIGHTHS, open_hat="0000000000000030"),
)
FUNK_GROOVES = (
    Groove("9020004300920300", BACKBEAT, "9593959395939593", "0300030503000305"),
    Groove("9090000003900500", "0000900300309000", SIXTEENTHS, "0030050403050030"),
    Groove("9003000003900030", BACKBEAT, EIGHTHS, "0005000505000505", "0000000000000090"),
)
FLOOR_GROOVES = (
    Groove(QUARTERS, BACKBEAT, "0090009000900090", open_hat=OFFBEATS, backbeat="clap"),
    Groove(QUARTERS, "0000900000009002", SIXTEENTHS, open_hat=OFFBEATS),
    Groove("9000900090009020", BACKBEAT, "5393539353935393", open_hat="0030003000300030"),
)
HIPHOP_GROOVES = (
    Groove("9000000300900030", BACKBEAT, "9090909090909393", "0000000201000000"),
    Groove("9003003000900000", "0000000090000000", "9393999393939399", backbeat="clap"),
    Groove("9000005090050000", BACKBEAT, EIGHTHS, "0000000300000003", backbeat="rim"),
)
REGGAE_GROOVES = (
    Groove("0000000090000000", "0000000090000000", EIGHTHS, backbeat="rim"),
    Groove("9000000090000000", "0000000090000000", "9393939393939393", open_hat="0000003000000030"),
    Groove(QUARTERS, "0000000090000000", EIGHTHS, "0000003000000300"),
)
BALLAD_GROOVES = (
    Groove("9000000090000000", BACKBEAT, EIGHTHS, backbeat="rim"),
    Groove("9000002090000000", "0000000090000000", QUARTERS),
    Groove("9000000030300000", BACKBEAT, "9090909090909090", "0000000100000001"),
)
LATIN_GROOVES = (
    Groove("9003900390039003", "9009003000900900", EIGHTHS, backbeat="rim"),
    Groove("9003009090030090", "0003009000030090", SIXTEENTHS),
    Groove("9000003090000030", "9002002000900200", EIGHTHS, backbeat="rim"),
)
JAZZ_GROOVES = (
    Groove("3000100030001000", "0000000000000000", "9000909390009093", "0010003000100030"),
    Groove("5000000250000002", "0000900000009000", "9000909090009090", "0020002000300020"),
)
BREAK_GROOVES = (
    Groove("9090000000990000", "0000900309000090", EIGHTHS, "0000000505000005"),
    Groove("9000000000900000", "0000900000003090", SIXTEENTHS, "0000000305000003"),
)
TRAP_GROOVES = (
    Groove("9000003000903000", "0000000090000000", "9090999390909999", backbeat="clap"),
    Groove("9003000000900003", "0000000090000000", SIXTEENTHS, open_hat="0000000000000030"),
)

STYLES: tuple[Style, ...] = (
    Style("rock", (90, 165), ("major", "mixolydian", "minor", "dorian"), ROCK_GROOVES,
          ("eighths", "root_fifth", "syncopated", "sustained"),
          ("riff", "chords", "lead", "arpeggio")),
    Style("metal", (90, 180), ("minor", "phrygian", "harmonic_minor"), METAL_GROOVES,
          ("eighths", "gallop", "sustained", "sixteenths"), ("riff", "riff", "lead", "pad")),
    Style("pop", (80, 135), ("major", "minor", "mixolydian"), POP_GROOVES,
          ("eighths", "syncopated", "sustained", "octaves"),
          ("chords", "arpeggio", "pad", "lead"), sevenths=0.3),
    Style("funk", (88, 124), ("dorian", "mixolydian"), FUNK_GROOVES,
          ("funk", "slap", "syncopated"), ("chords", "chords", "lead", "pad"),
          (0.5, 0.58), 1, 0.8),
    Style("disco", (108, 130), ("minor", "dorian", "major"), FLOOR_GROOVES,
          ("octaves", "funk", "eighths"), ("chords", "pad", "arpeggio", "lead"), sevenths=0.5),
    Style("house", (116, 132), ("minor", "dorian"), FLOOR_GROOVES,
          ("offbeat", "syncopated", "octaves"), ("chords", "pad", "arpeggio", "lead"),
          (0.5, 0.56), 1, 0.6),
    Style("hiphop", (68, 104), ("minor", "dorian"), HIPHOP_GROOVES,
          ("sustained", "syncopated", "funk"), ("chords", "pad", "lead", "arpeggio"),
          (0.5, 0.62), 1, 0.6),
    Style("trap", (65, 85), ("minor", "phrygian", "harmonic_minor"), TRAP_GROOVES,
          ("sustained", "sub"), ("arpeggio", "pad", "lead", "chords")),
    Style("reggae", (65, 95), ("major", "minor", "dorian"), REGGAE_GROOVES,
          ("reggae", "syncopated"), ("chords", "lead", "arpeggio"), (0.5, 0.6), 2),
    Style("ballad", (65, 88), ("major", "minor"), BALLAD_GROOVES,
          ("sustained", "root_fifth"), ("chords", "pad", "arpeggio", "lead"), sevenths=0.4),
    Style("latin", (85, 130), ("minor", "dorian", "major"), LATIN_GROOVES,
          ("tumbao", "root_fifth"), ("chords", "arpeggio", "lead"), sevenths=0.5),
    Style("jazz", (85, 180), ("dorian", "major", "mixolydian"), JAZZ_GROOVES,
          ("walking",), ("chords", "lead", "chords"), (0.58, 0.67), 2, 1.0),
    Style("blues", (70, 130), ("mixolydian", "dorian"), ROCK_GROOVES,
          ("walking", "root_fifth", "eighths"), ("riff", "chords", "lead"), (0.6, 0.67), 2, 0.7),
    Style("breakbeat", (95, 176), ("minor", "dorian"), BREAK_GROOVES,
          ("sub", "syncopated", "octaves"), ("pad", "chords", "lead", "arpeggio"), sevenths=0.4),
    Style("folk", (75, 150), ("major", "mixolydian", "dorian"), BALLAD_GROOVES,
          ("root_fifth", "sustained"), ("chords", "arpeggio", "lead"), (0.5, 0.6), 2),
    Style("punk", (150, 180), ("major", "minor"), ROCK_GROOVES,
          ("eighths",), ("riff", "chords", "riff")),
)  # fmt: skip
"""Every style the composer knows."""
