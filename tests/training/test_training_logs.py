"""Figures of a run end in tables and curves, every step once."""

from __future__ import annotations

import csv
import sys
import time

import pytest
from support import require

from streamsep.errors import MissingToolError, OutputError
from streamsep.training.csv_log import CsvLog
from streamsep.training.reports import Scores, StepReport, ValidationReport
from streamsep.training.tensorboard_log import TensorBoardLog

SOURCES = ("drums", "bass")


def step(number: int) -> StepReport:
    return StepReport(
        step=number,
        steps=9,
        epoch=1,
        loss=1 / number,
        penalty=0.0,
        learning_rate=1e-3,
        gradient_norm=2.0,
    )


def validation(number: int) -> ValidationReport:
    last, average = (
        Scores(weights=name, loss=loss, nsdr_db={"drums": 5.0, "bass": 3.0})
        for name, loss in (("last", 0.2), ("batch 0.9", 0.1))
    )
    return ValidationReport(
        step=number, epoch=1, scores=(last, average), best=average, improved=True
    )


def table(path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_tables_have_a_row_per_step_and_per_set_of_weights(tmp_path):
    log = CsvLog(tmp_path, 0, SOURCES)
    log.stepped(step(1))
    log.stepped(step(2))
    log.validated(validation(2))
    steps = table(tmp_path / "steps.csv")
    assert [(row["step"], row["loss"]) for row in steps] == [("1", "1.0"), ("2", "0.5")]
    rows = table(tmp_path / "validation.csv")
    assert [(row["weights"], row["loss"], row["best"]) for row in rows] == [
        ("last", "0.2", "0"),
        ("batch 0.9", "0.1", "1"),
    ]
    assert rows[0]["nsdr_db"] == "4.0"
    assert rows[0]["nsdr_bass_db"] == "3.0"


def test_steps_that_are_repeated_after_a_kill_stand_there_once(tmp_path):
    log = CsvLog(tmp_path, 0, SOURCES)
    for number in range(1, 6):
        log.stepped(step(number))
        log.validated(validation(number))
    with (tmp_path / "steps.csv").open("a") as file:
        file.write("6,1,0.1")  # killed while writing
    again = CsvLog(tmp_path, 3, SOURCES)
    again.stepped(step(4))
    assert [row["step"] for row in table(tmp_path / "steps.csv")] == ["1", "2", "3", "4"]
    steps = [row["step"] for row in table(tmp_path / "validation.csv")]
    assert steps == ["1", "1", "2", "2", "3", "3"]


def test_a_table_that_cannot_be_written_is_named(tmp_path):
    log = CsvLog(tmp_path, 0, SOURCES)
    (tmp_path / "steps.csv").unlink()
    (tmp_path / "steps.csv").mkdir()
    with pytest.raises(OutputError, match=r"cannot write .*steps\.csv.*last checkpoint"):
        log.stepped(step(1))


def test_curves_are_cut_where_a_run_goes_on(tmp_path):
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    except ImportError:
        require(False, "tensorboard is not installed")
    first = TensorBoardLog(tmp_path, 0)
    for number in range(1, 6):
        first.stepped(step(number))
    first.validated(validation(5))
    # Files are read in the order of their names, which hold the second in which they were begun.
    time.sleep(1.1)
    second = TensorBoardLog(tmp_path, 3)
    second.stepped(step(4))
    second.validated(validation(4))
    curves = EventAccumulator(str(tmp_path))
    curves.Reload()
    loss = [(point.step, point.value) for point in curves.Scalars("training/loss")]
    assert loss == [(number, pytest.approx(1 / number)) for number in range(1, 5)]
    drums = [point.value for point in curves.Scalars("validation/nsdr_db/drums/last")]
    assert drums == [5.0]


def test_without_tensorboard_one_line_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingToolError, match=r"only the tables .*uv sync .*--extra training"):
        TensorBoardLog(tmp_path, 0)
