"""Reading from many songs, some of which may turn out to be damaged."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import torch

from streamsep.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from streamsep.audio.statistics import TrackStatistics
    from streamsep.files import TrackFolder
    from streamsep.training.dataset.places import Place

__all__ = ["Songs"]

logger = logging.getLogger(__name__)


class Songs:
    """The samples of all songs.

    Args:
        tracks: the songs, all with the same stems.
        statistics: mean and deviation of every song's mixture, to normalise its stems by; None to
            read them as they are.
    """

    def __init__(
        self, tracks: Sequence[TrackFolder], statistics: Sequence[TrackStatistics] | None
    ) -> None:
        self.lengths = tuple(track.length for track in tracks)
        self.stems = len(tracks[0].stems)
        self._tracks = tuple(tracks)
        self._statistics = statistics
        # In memory that all processes share, so that together they warn of a file once.
        self._reported = torch.zeros(len(tracks), self.stems, dtype=torch.bool)
        self._reported.share_memory_()

    def __len__(self) -> int:
        return len(self._tracks)

    def read(self, places: Sequence[Place], length: int) -> Tensor:
        """Stems [S, C, length], each from a place of its own, with silence past a song's end.

        Raises:
            InputError: a file cannot be read there. The log tells of each such file once.
        """
        return torch.stack([self._read(place, stem, length) for stem, place in enumerate(places)])

    def _read(self, place: Place, stem: int, length: int) -> Tensor:
        try:
            audio = self._tracks[place.track].read(stem, place.start, length)
        except InputError as error:
            if not self._reported[place.track, stem]:
                self._reported[place.track, stem] = True
                logger.warning("%s. Until then, examples are taken from elsewhere", error)
            raise
        if self._statistics is None:
            return audio
        song = self._statistics[place.track]
        return (audio - song.mean) / song.deviation
