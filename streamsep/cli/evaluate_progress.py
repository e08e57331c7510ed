"""The bar on the screen while songs are judged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from streamsep.cli.track_progress import plain_console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamsep.evaluation.records import Task
    from streamsep.evaluation.runner import Outcome

__all__ = ["EvaluationProgress"]


class EvaluationProgress:
    """An `Observer` with one bar for all the work; failures are lines on the error stream.

    Bars are for people: where the error stream is no terminal there is none.

    Args:
        tasks: the work.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.done = 0
        self._count = len(tasks)
        self._said: set[str] = set()
        self._console = plain_console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[count]}"),
            TimeRemainingColumn(),
            speed_estimate_period=600.0,  # a song may take minutes
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task(
            "judging", total=sum(task.work for task in tasks), count=f"0/{self._count}"
        )

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def advanced(self, work: float) -> None:
        """Move the bar."""
        self._bar.advance(self._task, work)

    def ended(self, outcome: Outcome) -> None:
        """Count a measurement, or say why there is none."""
        if outcome.error is None:
            self.done += 1
            self._bar.update(
                self._task,
                description=f"judged {outcome.task.song.name} ({outcome.task.method.name})",
                count=f"{self.done}/{self._count}",
            )
        elif str(outcome.error) not in self._said:
            # A damaged file fails every method alike; once is enough.
            self._said.add(str(outcome.error))
            self.say(f"{outcome.task.song.name}: {' '.join(str(outcome.error).split())}")

    def say(self, message: str) -> None:
        """Print one line on the error stream."""
        self._console.print(f"streamsep: {message}")
