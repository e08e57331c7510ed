"""From songs on disk to training examples."""

from __future__ import annotations

from streamsep.training.dataset.examples import Examples
from streamsep.training.dataset.split import MUSDB18_VALIDATION, split_tracks

__all__ = ["MUSDB18_VALIDATION", "Examples", "split_tracks"]
