"""Which songs to learn from, and which to judge by."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamsep.files import TrackFolder

__all__ = ["MUSDB18_VALIDATION", "split_tracks"]

MUSDB18_VALIDATION = frozenset(
    {
        "ANiMAL - Rockshow",
        "Actions - One Minute Smile",
        "Alexander Ross - Goodbye Bolero",
        "Clara Berry And Wooldog - Waltz For My Victims",
        "Fergessen - Nos Palpitants",
        "James May - On The Line",
        "Johnny Lokke - Promises & Lies",
        "Leaf - Summerghost",
        "Meaxic - Take A Step",
        "Patrick Talbot - A Reason To Leave",
        "Skelpolu - Human Mistakes",
        "Traffic Experiment - Sirens",
        "Triviul - Angelsaint",
        "Young Griffo - Pennies",
    }
)
"""The songs of MUSDB18's training half that the papers held out: 14 of 100."""


def split_tracks(
    tracks: Sequence[TrackFolder], validation: float = 0.0
) -> tuple[list[TrackFolder], list[TrackFolder]]:
    """Hold songs out of training.

    The official ones of MUSDB18 where they are among the songs. Otherwise a share: a song's name
    alone decides its side, so that adding songs never moves one from one side to the other. (There
    is one exception: with too few songs to have one on either side, one is taken across.)

    Args:
        tracks: all songs.
        validation: share to hold out, 0 to below 1.

    Returns:
        The songs to learn from and those to judge by, both in the order given; together all of
        them. There is at least one to learn from, and if the share is above 0 and there are two
        songs, at least one to judge by.
    """
    held_out = {track.name for track in tracks} & MUSDB18_VALIDATION
    if not held_out and validation > 0.0 and len(tracks) > 1:
        by_lot = sorted((_lot(track.name), track.name) for track in tracks)
        held_out = {name for lot, name in by_lot if lot < validation} or {by_lot[0][1]}
        if len(held_out) == len(by_lot):
            held_out.remove(by_lot[-1][1])
    train = [track for track in tracks if track.name not in held_out]
    valid = [track for track in tracks if track.name in held_out]
    return (train, valid) if train else (valid, [])


def _lot(name: str) -> float:
    """A number in [0, 1) that the name decides and that is otherwise as good as random."""
    return int.from_bytes(hashlib.sha256(os.fsencode(name)).digest()[:6]) / 2**48
