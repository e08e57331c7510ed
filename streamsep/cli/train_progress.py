"""What `streamsep train` shows: a bar for the steps, another while it validates, then a line."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from streamsep.training.reports import StepReport, ValidationReport, Watcher

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["TrainingProgress"]


class TrainingProgress(Watcher):
    """Shows a run on standard error; a context manager that ends the bars.

    Args:
        step: steps done before.
        steps: steps in all.
    """

    def __init__(self, step: int, steps: int) -> None:
        self._bars = Progress(
            TextColumn("{task.description}"),
            MofNCompleteColumn(),
            BarColumn(),
            TextColumn("{task.fields[loss]}"),
            TimeRemainingColumn(),
            # A step may take seconds and the bar's own memory is half a minute.
            speed_estimate_period=600.0,
            console=Console(stderr=True, highlight=False),
        )
        self._steps = self._bars.add_task("step", total=steps, completed=step, loss="")
        self._songs: TaskID | None = None
        self._loss: float | None = None

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def stepped(self, report: StepReport) -> None:
        """Move the bar and show the loss."""
        # Steps differ in how hard their examples are; the eye wants the trend.
        before = report.loss if self._loss is None else self._loss
        self._loss = 0.98 * before + 0.02 * report.loss
        self._bars.update(self._steps, completed=report.step, loss=f"loss {self._loss:.4f}")

    def validating(self, done: int, total: int) -> None:
        """Move the second bar."""
        if self._songs is None:
            self._songs = self._bars.add_task("validation", total=total, loss="")
        self._bars.update(self._songs, completed=done)

    def validated(self, report: ValidationReport) -> None:
        """Take the second bar away and leave a line."""
        if self._songs is not None:
            self._bars.remove_task(self._songs)
            self._songs = None
        best = report.best
        stems = ", ".join(f"{name} {_db(value)}" for name, value in best.nsdr_db.items())
        rank = ", the best so far" if report.improved else ""
        self._bars.print(
            f"epoch {report.epoch}, step {report.step}: nSDR {_db(best.mean_nsdr_db)} dB "
            f"({stems}), loss {best.loss:.4f}, weights {best.weights}{rank}",
            markup=False,
            soft_wrap=True,
        )


def _db(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2f}"
