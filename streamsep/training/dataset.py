"""Training examples cut from a folder of songs with known stems.

Example number i depends on the seed and on i alone, never on who asks for it or in which order: a
resumed run, or one on two processes, sees the same examples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from streamsep.training.augmentation import Augmentation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamsep.config.training import AugmentationConfig
    from streamsep.files import TrackFolder

__all__ = ["Examples"]


class Examples(Dataset[Tensor]):
    """Random segments, remixed and augmented; item i is float32 [S, C, T].

    Args:
        tracks: where to cut from.
        segment: samples T per example.
        config: augmentation.
        sample_rate: samples per second of the tracks.
        count: number of examples.
        seed: what decides them.
    """

    def __init__(
        self,
        tracks: Sequence[TrackFolder],
        segment: int,
        config: AugmentationConfig,
        *,
        sample_rate: int,
        count: int,
        seed: int,
    ) -> None:
        self.tracks = tracks
        self.segment = segment
        self.config = config
        self.augment = Augmentation.from_config(config, sample_rate)
        self.count = count
        self.seed = seed

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Tensor:
        if not 0 <= index < self.count:
            raise IndexError(index)
        rng = np.random.default_rng([self.seed, index])
        return self.augment(self._cut(rng), rng)

    def _cut(self, rng: np.random.Generator) -> Tensor:
        """One segment [S, C, T]: all stems of one moment, or each from a song of its own."""
        sources = range(len(self.tracks[0].stems))
        remix = rng.random() < self.config.remix
        place = self._place(rng)
        stems = []
        for stem in sources:
            track, start = self._place(rng) if remix else place
            stems.append(track.read(stem, start, self.segment))
        return torch.stack(stems)

    def _place(self, rng: np.random.Generator) -> tuple[TrackFolder, int]:
        track = self.tracks[int(rng.integers(len(self.tracks)))]
        return track, int(rng.integers(max(1, track.length - self.segment + 1)))
