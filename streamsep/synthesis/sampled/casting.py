"""Who plays what: General MIDI programs by stem, role and style.

The lists are broad on purpose. A style makes its own instruments likelier but excludes none,
because the network shall learn what a bass is, not what a bass in a rock song is.

Source: General MIDI 1 Sound Set (program numbers here count from 0).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

__all__ = ["DISTORTED", "GUITARS", "draw_bass", "draw_instrument", "kit_programs"]

GUITARS = range(24, 32)
"""Nylon, steel, jazz, clean, muted, overdriven, distorted, harmonics."""

DISTORTED = (29, 30)
"""Guitars whose recording is already distorted."""

_FAMILIES: dict[str, tuple[int, ...]] = {
    "piano": (0, 0, 1, 2, 3),
    "electric_piano": (4, 5, 4, 5, 7),
    "mallets": (8, 9, 10, 11, 12, 13, 15, 108),
    "organ": (16, 17, 18, 16, 17, 18, 19, 20),
    "reed_organ": (21, 22, 23),
    "acoustic_guitar": (24, 25, 25),
    "clean_guitar": (26, 27, 27, 28),
    "loud_guitar": (29, 30, 29, 30, 30),
    "plucked": (45, 46, 104, 105, 106, 107),
    "strings": (40, 41, 42, 44, 48, 48, 49, 50, 51, 110),
    "choir": (52, 53, 54),
    "brass": (56, 57, 59, 60, 61, 61, 62, 63),
    "sax": (64, 65, 65, 66, 66, 67),
    "reeds": (68, 69, 70, 71, 111),
    "pipes": (72, 73, 73, 74, 75, 77, 78, 79),
    "synth_lead": (80, 81, 81, 82, 83, 84, 86, 87),
    "synth_pad": (88, 89, 90, 90, 92, 93, 94, 95),
    "synth_texture": (96, 97, 98, 99, 100, 102, 103),
}

_ROLES: dict[str, dict[str, float]] = {
    "chords": {
        "piano": 4, "electric_piano": 3, "organ": 3, "acoustic_guitar": 3, "clean_guitar": 4,
        "loud_guitar": 2, "strings": 1, "brass": 1.5, "synth_pad": 1.5, "synth_lead": 1,
        "reed_organ": 0.6, "sax": 0.3,
    },
    "arpeggio": {
        "piano": 2, "electric_piano": 2, "mallets": 2, "acoustic_guitar": 3, "clean_guitar": 3,
        "loud_guitar": 0.7, "plucked": 1.5, "synth_lead": 3, "synth_pad": 0.7,
        "synth_texture": 1, "strings": 0.5,
    },
    "lead": {
        "loud_guitar": 4, "clean_guitar": 1.5, "sax": 2.5, "brass": 2, "synth_lead": 3,
        "pipes": 1.5, "reeds": 1, "strings": 1.2, "piano": 1.2, "organ": 1.2, "reed_organ": 1,
        "electric_piano": 0.8, "mallets": 0.8, "acoustic_guitar": 1, "choir": 0.1,
    },
    "pad": {
        "strings": 4, "synth_pad": 4, "synth_texture": 1.5, "organ": 2, "choir": 0.15,
        "brass": 0.7, "electric_piano": 0.8, "loud_guitar": 0.5,
    },
    "riff": {
        "loud_guitar": 7, "clean_guitar": 3, "acoustic_guitar": 1, "synth_lead": 1.2,
        "electric_piano": 0.8, "brass": 0.8, "organ": 0.7, "piano": 0.7, "strings": 0.3,
    },
}  # fmt: skip

_BAND = ("loud_guitar", "clean_guitar", "organ")
_CLUB = ("synth_lead", "synth_pad", "electric_piano", "synth_texture")
_ROOM = ("acoustic_guitar", "piano", "strings", "plucked", "reed_organ")
_BIG = ("brass", "sax", "electric_piano", "clean_guitar", "organ")
_TYPICAL: dict[str, tuple[str, ...]] = {
    "rock": _BAND, "metal": ("loud_guitar",), "punk": ("loud_guitar",), "blues": _BAND,
    "house": _CLUB, "trap": _CLUB, "breakbeat": _CLUB, "hiphop": _CLUB, "disco": _BIG,
    "funk": _BIG, "jazz": ("piano", "sax", "brass", "clean_guitar"), "latin": _BIG,
    "folk": _ROOM, "ballad": _ROOM, "reggae": _BAND,
}  # fmt: skip

_ACOUSTIC_KITS = (*range(8), *range(8, 16), *range(16, 20))
_SOFT_KITS = (*range(8), *range(32, 37), *range(40, 43))
_MACHINES = (24, 25)
_KITS: dict[str, tuple[int, ...]] = {
    "house": (*_MACHINES, *_MACHINES, 16, 8), "trap": (*_MACHINES, 25, 16),
    "hiphop": (*_MACHINES, 0, 8, 16), "disco": (*_ACOUSTIC_KITS, *_MACHINES),
    "jazz": _SOFT_KITS, "folk": _SOFT_KITS, "ballad": (*_SOFT_KITS, *range(8, 16)),
    "pop": (*_ACOUSTIC_KITS, *_MACHINES), "breakbeat": (*_ACOUSTIC_KITS, *_MACHINES),
}  # fmt: skip

_FINGERED, _PICKED, _FRETLESS, _SLAP, _SYNTH = (33,), (34,), (35,), (36, 37), (38, 39, 87, 81)
_BASSES: dict[str, tuple[int, ...]] = {
    "metal": _PICKED * 3 + _FINGERED, "punk": _PICKED * 3 + _FINGERED,
    "rock": _PICKED * 2 + _FINGERED * 2, "blues": _FINGERED * 2 + _PICKED + (32,),
    "funk": _SLAP * 2 + _FINGERED * 2 + (38,), "disco": _FINGERED * 2 + _SLAP + (38,),
    "house": _SYNTH, "trap": (*_SYNTH, 39, 38), "breakbeat": (*_SYNTH, 33),
    "hiphop": (*_SYNTH, 33, 32, 35), "jazz": (32, 32, 32, 33, 35), "folk": (32, 32, 33),
    "latin": (32, 33, 35, 33), "ballad": (33, 35, 32), "reggae": (33, 33, 35, 38),
}  # fmt: skip
_ANY_BASS = (32, 33, 33, 34, 34, 35, 36, 37, 38, 38, 39, 39, 87, 43, 58)
_SURPRISE = 0.3


def draw_instrument(role: str, style: str, rng: np.random.Generator) -> int:
    """A General MIDI program for a part of the stem ``other``."""
    weights = dict(_ROLES.get(role, _ROLES["chords"]))
    for family in _TYPICAL.get(style, ()):
        if family in weights:
            weights[family] *= 3.0
    total = sum(weights.values())
    family = str(rng.choice(list(weights), p=[weight / total for weight in weights.values()]))
    return int(rng.choice(_FAMILIES[family]))


def draw_bass(style: str, rng: np.random.Generator) -> int:
    """A General MIDI program for a bass part."""
    usual = _BASSES.get(style, _ANY_BASS)
    return int(rng.choice(_ANY_BASS if rng.random() < _SURPRISE else usual))


def kit_programs(style: str, rng: np.random.Generator) -> tuple[int, ...]:
    """The drum kits to choose from; an empty tuple means any."""
    return () if rng.random() < _SURPRISE else _KITS.get(style, _ACOUSTIC_KITS)
