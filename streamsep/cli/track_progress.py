"""Bars and lines on the screen while tracks are separated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from pathlib import Path

    from streamsep.files import BadArgument
    from streamsep.offline import TrackOutcome

__all__ = ["TrackProgress", "plain_console"]


class TrackProgress:
    """A `BatchObserver` with a bar per running track; results go to standard output.

    Bars are for people: where the error stream is no terminal there are none.
    """

    def __init__(self) -> None:
        # Names of files are text, not markup: "[red] :heart:.wav" stays as it is.
        self._errors = plain_console(stderr=True)
        self._results = plain_console(stderr=False)
        if self._errors.is_terminal and self._results.is_terminal:
            # Both are the same screen: only the console that draws the bars can print above them.
            self._results = self._errors
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeRemainingColumn(),
            console=self._errors,
            transient=True,
            disable=not self._errors.is_terminal,
        )
        self._tasks: dict[int, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bars.stop()

    def refused(self, bad: BadArgument) -> None:
        """Print why an argument leads to no track."""
        self._say_error(str(bad.error))

    def started(self, index: int, source: Path) -> None:
        """Add a bar."""
        self._tasks[index] = self._bars.add_task(source.name, total=None)

    def advanced(self, index: int, done: int, total: int | None) -> None:
        """Move a bar."""
        self._bars.update(self._tasks[index], completed=done, total=total)

    def ended(self, index: int, outcome: TrackOutcome) -> None:
        """Take a bar away and print what came of the track."""
        if index in self._tasks:
            self._bars.remove_task(self._tasks.pop(index))
        if outcome.error is not None:
            self._say_error(str(outcome.error))
        else:
            self._results.print(_summary(outcome))

    def _say_error(self, message: str) -> None:
        self._errors.print(f"streamsep: {' '.join(message.split())}")


def plain_console(*, stderr: bool) -> Console:
    """A console on which the names of files are text, not markup."""
    return Console(stderr=stderr, soft_wrap=True, highlight=False, markup=False, emoji=False)


def _summary(outcome: TrackOutcome) -> str:
    result = outcome.result
    if result is None:
        return f"{outcome.source}: skipped, its stems are there"
    seconds = result.frames / result.sample_rate
    folder = next(iter(result.stems.values())).parent
    lines = [
        f"{outcome.source}: {seconds:.1f} s in {result.elapsed_s:.1f} s (RTF {result.rtf:.2f}) "
        f"-> {folder}/ ({', '.join(path.name for path in result.stems.values())})"
    ]
    if result.latency is not None:
        latency_ms = 1000 * result.latency / result.sample_rate
        lines.append(f"  as a live stream: latency {result.latency} samples, {latency_ms:.0f} ms")
    if result.replaced_samples:
        lines.append(f"  {result.replaced_samples} samples were NaN or infinite, now silence")
    if result.overshoots:
        lines.append(
            f"  {result.overshoots} samples of the stems lie beyond full scale; see --clip-mode"
        )
    return "\n".join(lines)
