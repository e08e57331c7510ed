"""Training examples cut from a folder of songs with known stems.

Example number i depends on the seed and on i alone, never on who asks for it or in which order: a
resumed run, or one on several processes with any number of workers, sees the same examples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor
from torch.utils.data import Dataset

from streamsep.config.training import DataConfig
from streamsep.errors import InputError
from streamsep.training.augmentation import Augmentation
from streamsep.training.dataset.chance import Purpose, generator
from streamsep.training.dataset.places import Grid, Scatter, any_place, any_place_in
from streamsep.training.dataset.song_statistics import SongStatistics
from streamsep.training.dataset.songs import Songs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.random import Generator

    from streamsep.config.training import AugmentationConfig
    from streamsep.files import TrackFolder
    from streamsep.training.dataset.places import Place, Places

__all__ = ["Examples"]


class Examples(Dataset[Tensor]):
    """Segments of songs, remixed and augmented; item i is float32 [S, C, T].

    A place where a file cannot be read is replaced by another, which the seed and i decide.

    Args:
        tracks: where to cut from, at least one.
        segment: samples T per example.
        config: augmentation.
        sample_rate: samples per second of the tracks.
        count: number of examples; None for those of one epoch.
        seed: what decides them, 0 or above.
        data: how places are drawn.
        cache: folder that remembers what was measured of the songs; None for the user's cache.

    Attributes:
        count: number of examples; it may be changed, and changes none of them.
        per_epoch: examples in an epoch; the next ones belong to the epoch after it.

    Raises:
        InputError: a song is damaged, where songs are normalised and so read beforehand.
        MissingToolError: a change needs a library that is not installed.
    """

    def __init__(
        self,
        tracks: Sequence[TrackFolder],
        segment: int,
        config: AugmentationConfig,
        *,
        sample_rate: int,
        count: int | None = None,
        seed: int,
        data: DataConfig | None = None,
        cache: Path | None = None,
    ) -> None:
        data = data or DataConfig()
        self.segment = segment
        self.augment = Augmentation.from_config(config, sample_rate)
        self.seed = seed
        self._remix = config.remix
        self._reach = self.augment.needs(segment)
        statistics = SongStatistics(cache).of(tracks) if data.normalised else None
        self._songs = Songs(tracks, statistics)
        self._places = _places(self._songs.lengths, self._reach, seed, data)
        self.per_epoch = self._places.per_epoch
        self.count = self.per_epoch if count is None else count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Tensor:
        if not 0 <= index < self.count:
            raise IndexError(index)
        rng = generator(Purpose.EXAMPLE, self.seed, index)
        stems = self._read(self._draw(index, rng), index)
        return self.augment(stems, rng)[..., : self.segment]

    def augment_batch(self, batch: Tensor, step: int, rank: int = 0) -> Tensor:
        """What happens to examples that lie in one batch [B, S, C, T], on its device.

        Args:
            batch: of examples from here.
            step: number of the step.
            rank: number of the process.

        Returns:
            A batch of the same shape, which the seed, the step and the rank decide.
        """
        return self.augment.batch(batch, generator(Purpose.BATCH, self.seed, step, rank))

    def _draw(self, index: int, rng: Generator) -> list[Place]:
        """A place for every stem: the same moment of a song for all, or each its own."""
        place = self._places.place(index, rng)
        if rng.random() >= self._remix:
            return [place] * self._songs.stems
        return [any_place(self._songs.lengths, self._reach, rng) for _ in range(self._songs.stems)]

    def _read(self, places: Sequence[Place], index: int) -> Tensor:
        """Stems from some places, or else of another moment, each song being tried once."""
        try:
            return self._songs.read(places, self._reach)
        except InputError:
            rng = generator(Purpose.SUBSTITUTE, self.seed, index)
            for track in rng.permutation(len(self._songs)).tolist():
                place = any_place_in(track, self._songs.lengths, self._reach, rng)
                try:
                    return self._songs.read([place] * self._songs.stems, self._reach)
                except InputError as error:
                    last = error
        raise InputError(f"none of the {len(self._songs)} songs can be read; the last one: {last}")


def _places(lengths: Sequence[int], reach: int, seed: int, data: DataConfig) -> Places:
    if data.draw == "grid":
        return Grid(lengths, reach, data.stride, seed)
    return Scatter(lengths, reach, data.examples_per_epoch)
