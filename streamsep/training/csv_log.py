"""The figures of a run as two tables that any program reads."""

from __future__ import annotations

import csv
from contextlib import contextmanager
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

from streamsep.errors import OutputError
from streamsep.training.reports import StepReport, ValidationReport, Watcher

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["CsvLog"]


class CsvLog(Watcher):
    """Writes `steps.csv`, a row per step, and `validation.csv`, a row per set of weights.

    A run that was killed repeats the steps after its last checkpoint: their rows are removed when
    the log is opened, so that every step stands in the table once.

    Args:
        folder: where the tables lie.
        step: steps that the run has done; later rows go.
        sources: names of the stems.

    Raises:
        OutputError: the tables cannot be written; so does every method.
    """

    def __init__(self, folder: Path, step: int, sources: Sequence[str]) -> None:
        self._sources = tuple(sources)
        steps = [field.name for field in fields(StepReport) if field.name != "steps"]
        self._steps = _Table(folder / "steps.csv", steps, step)
        nsdr = [f"nsdr_{source}_db" for source in self._sources]
        columns = ["step", "epoch", "weights", "loss", "nsdr_db", *nsdr, "best"]
        self._validations = _Table(folder / "validation.csv", columns, step)

    def stepped(self, report: StepReport) -> None:
        """Write a row."""
        row = asdict(report)
        self._steps.append([[row[column] for column in self._steps.columns]])

    def validated(self, report: ValidationReport) -> None:
        """Write a row per set of weights."""
        self._validations.append(
            [
                report.step,
                report.epoch,
                scores.weights,
                scores.loss,
                scores.mean_nsdr_db,
                *(scores.nsdr_db[source] for source in self._sources),
                int(scores is report.best and report.improved),
            ]
            for scores in report.scores
        )


class _Table:
    """One CSV file whose first column is the step."""

    def __init__(self, path: Path, columns: Sequence[str], step: int) -> None:
        self.path = path
        self.columns = tuple(columns)
        with _explained(path):
            kept = list(self._rows_until(step))
            part = path.with_suffix(".csv.part")
            with part.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([self.columns, *kept])
            part.replace(path)

    def append(self, rows: Iterator[Sequence[object]] | Sequence[Sequence[object]]) -> None:
        with _explained(self.path), self.path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)

    def _rows_until(self, step: int) -> Iterator[list[str]]:
        """The rows up to a step; a table with other columns is begun anew."""
        if not self.path.exists():
            return
        with self.path.open(newline="", encoding="utf-8", errors="replace") as file:
            rows = csv.reader(file)
            if tuple(next(rows, ())) != self.columns:
                return
            for row in rows:
                # The last row may have been cut short when the run was killed.
                whole = len(row) == len(self.columns) and row[0].isdecimal()
                if whole and int(row[0]) <= step:
                    yield row


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}; make room and start again, the run "
            "goes on from its last checkpoint"
        ) from error
