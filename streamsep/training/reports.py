"""What a run says about itself while it goes on, and to whom.

The loop knows no screen, table or dashboard: it tells its watchers. A watcher overrides what it
wants to hear of.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LAST_WEIGHTS", "Scores", "StepReport", "ValidationReport", "Watcher"]

LAST_WEIGHTS = "last"
"""Name of the weights as they are, beside those of the averages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReport:
    """What is known after a step.

    Attributes:
        step: steps done, this one included.
        steps: steps in all.
        epoch: the epoch that the step was part of, from 1.
        loss: mean over the step's examples, of all processes, without the penalty.
        penalty: what the singular values added to the loss.
        learning_rate: Adam's rate.
        gradient_norm: of all weights' gradients, before clipping.
    """

    step: int
    steps: int
    epoch: int
    loss: float
    penalty: float
    learning_rate: float
    gradient_norm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What one set of weights achieves on the songs that are held out.

    Attributes:
        weights: `LAST_WEIGHTS` or the name of an average.
        loss: mean over the songs.
        nsdr_db: mean over the songs in which a stem sounds, by the stem's name; NaN if in none.
    """

    weights: str
    loss: float
    nsdr_db: Mapping[str, float]

    @property
    def mean_nsdr_db(self) -> float:
        """Mean over the stems that sound somewhere; NaN if none does."""
        sounding = [value for value in self.nsdr_db.values() if not math.isnan(value)]
        return sum(sounding) / len(sounding) if sounding else math.nan

    def beats(self, other: Scores, metric: str) -> bool:
        """Whether these are better in `metric`, "loss" or "nsdr"; NaN beats nothing."""
        if metric == "loss":
            return self.loss < other.loss or (math.isnan(other.loss) and not math.isnan(self.loss))
        ours, theirs = self.mean_nsdr_db, other.mean_nsdr_db
        return ours > theirs or (math.isnan(theirs) and not math.isnan(ours))


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationReport:
    """What is known after a validation.

    Attributes:
        step: steps done.
        epoch: epochs done, the one that the run ends in included.
        scores: of all sets of weights.
        best: the best ones of this validation.
        improved: whether they are the best ones of the run.
    """

    step: int
    epoch: int
    scores: tuple[Scores, ...]
    best: Scores
    improved: bool


class Watcher:
    """Hears what a run says; the loop waits for it to return."""

    def stepped(self, report: StepReport) -> None:
        """A step is done and not yet saved."""

    def validating(self, done: int, total: int) -> None:
        """So many of the songs, counted once for every set of weights, have been judged."""

    def validated(self, report: ValidationReport) -> None:
        """A validation is done and not yet saved."""
