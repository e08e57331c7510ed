"""New mixtures out of the examples of one batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.random import Generator
    from torch import Tensor

__all__ = ["RemixGroups"]


@dataclass(frozen=True, slots=True)
class RemixGroups:
    """The examples of a group exchange their drums, and by another draw their bass, and so on.

    Every stem of the batch is in it afterwards exactly once, beside other stems.

    Attributes:
        group: how many neighbours exchange; the last group of a batch holds what is left.

    Source: "Music Source Separation in the Waveform Domain", section "Training procedure", after
    Uhlich et al.; groups of 4 in the settings published with "Hybrid Spectrogram and Waveform
    Source Separation".
    """

    group: int = 4

    def __call__(self, batch: Tensor, rng: Generator) -> Tensor:
        """Permute each source of a batch [B, S, C, T] within the groups."""
        examples, sources = batch.shape[:2]
        origin = np.empty((examples, sources), dtype=np.int64)
        for first in range(0, examples, self.group):
            members = np.arange(first, min(first + self.group, examples))
            for source in range(sources):
                origin[members, source] = rng.permutation(members)
        index = torch.from_numpy(origin).to(batch.device)
        return batch[index, torch.arange(sources, device=batch.device)]
