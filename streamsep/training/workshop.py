"""Processes that make many songs at a time.

A song takes seconds to minutes to make and knows no other, so songs are made as fast as there are
cores.
"""

from __future__ import annotations

from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from streamsep.errors import ConfigError
from streamsep.processes import worker_processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import ProcessPoolExecutor
    from types import TracebackType

__all__ = ["Workshop"]

TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT")


class Workshop:
    """Processes that do many tasks of one kind after another, with a progress bar for each kind.

    A context manager: the processes end with it. A single job needs no process but this one.

    Args:
        jobs: tasks done at the same time, at least 1.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._pool: ProcessPoolExecutor | None = None
        self._end = ExitStack()

    def __enter__(self) -> Self:
        if self._jobs > 1:
            self._pool = self._end.enter_context(worker_processes(self._jobs))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end.__exit__(kind, error, trace)

    def do(
        self,
        work: Callable[[TaskT], ResultT],
        tasks: Sequence[TaskT],
        *,
        title: str,
        done_before: int = 0,
    ) -> list[ResultT]:
        """Do all tasks.

        Args:
            work: does one task; a function of a module, so that other processes find it.
            tasks: what there is to do; they and the results travel between processes.
            title: what the progress bar says.
            done_before: tasks of this kind that earlier runs did; the bar counts them too.

        Returns:
            The results in the order of the tasks.

        Raises:
            ConfigError: a process was killed, usually for its memory.
            Whatever `work` raises; the tasks that had not begun are dropped.
        """
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        results: dict[int, ResultT] = {}
        with Progress(*columns, console=Console(stderr=True)) as progress:
            bar = progress.add_task(title, total=done_before + len(tasks), completed=done_before)
            for number, result in self._results(work, tasks):
                results[number] = result
                progress.advance(bar)
        return [results[number] for number in range(len(tasks))]

    def _results(
        self, work: Callable[[TaskT], ResultT], tasks: Sequence[TaskT]
    ) -> Iterator[tuple[int, ResultT]]:
        """Every task's number and result, in the order in which they happen to be ready."""
        if self._pool is None:
            for number, task in enumerate(tasks):
                yield number, work(task)
            return
        numbers = {self._pool.submit(work, task): number for number, task in enumerate(tasks)}
        try:
            for future in as_completed(numbers):
                yield numbers[future], future.result()
        except BrokenProcessPool as error:
            raise ConfigError(
                "a process that made a song was killed, perhaps for its memory: use fewer jobs "
                "(-j); what is finished is kept"
            ) from error
