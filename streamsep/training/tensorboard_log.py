"""The figures of a run as curves in TensorBoard, where that is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamsep.errors import MissingToolError
from streamsep.training.reports import StepReport, ValidationReport, Watcher

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["TensorBoardLog"]


class TensorBoardLog(Watcher):
    """Writes event files for `tensorboard --logdir`.

    Args:
        folder: where the files lie.
        step: steps that the run has done; curves that reach further are cut there.

    Raises:
        MissingToolError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path, step: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingToolError(
                "TensorBoard is not installed, so there are no curves, only the tables steps.csv "
                "and validation.csv; 'uv sync --inexact --extra training' adds it"
            ) from error
        self._writer = SummaryWriter(str(folder), purge_step=step + 1)

    def stepped(self, report: StepReport) -> None:
        """Extend the curves of the training."""
        for name in ("loss", "penalty", "learning_rate", "gradient_norm"):
            self._writer.add_scalar(f"training/{name}", getattr(report, name), report.step)

    def validated(self, report: ValidationReport) -> None:
        """Extend the curves of every set of weights."""
        for scores in report.scores:
            values = {"loss": scores.loss, "nsdr_db": scores.mean_nsdr_db}
            values |= {f"nsdr_db/{source}": value for source, value in scores.nsdr_db.items()}
            for name, value in values.items():
                self._writer.add_scalar(f"validation/{name}/{scores.weights}", value, report.step)
        self._writer.flush()
