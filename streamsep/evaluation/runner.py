"""Songs times methods: what is not known yet is measured, and kept as soon as it is known."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch

from streamsep.errors import ConfigError, InputError, StreamSepError
from streamsep.evaluation.workers import judge_here, judge_in_processes

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from pathlib import Path

    from streamsep.evaluation.records import Records, Task
    from streamsep.evaluation.scores import SongScores
    from streamsep.evaluation.workers import Ended
    from streamsep.models import LoadedModel

__all__ = ["Observer", "Outcome", "Unobserved", "evaluate"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one task ended.

    Attributes:
        task: the task.
        scores: what was scored, or None.
        error: what went wrong, or None.
    """

    task: Task
    scores: SongScores | None = None
    error: StreamSepError | None = None


class Observer(Protocol):
    """Is told how an evaluation is getting on."""

    def advanced(self, work: float) -> None:
        """So much more of the work is done, see `Task.work`."""

    def ended(self, outcome: Outcome) -> None:
        """A task is done or has failed."""


class Unobserved:
    """An `Observer` for evaluations that nobody watches."""

    def advanced(self, work: float) -> None:
        """Nobody is told."""

    def ended(self, outcome: Outcome) -> None:
        """Nobody is told."""


def evaluate(
    tasks: Sequence[Task],
    model: LoadedModel,
    records: Records,
    *,
    load: Callable[[], LoadedModel] | None = None,
    jobs: int = 1,
    observer: Observer,
) -> list[Outcome]:
    """Do all tasks that were not done before; a song that cannot be judged stops no other.

    Where a task's scores will be kept is decided before any song is read, see `Records.place_of`.

    Args:
        tasks: what to do.
        model: the network, for this process.
        records: where finished tasks are, and go as they end.
        load: loads the network again, in another process; needed for more than one job.
        jobs: songs judged at the same time. On the CPU the threads are divided among them.
        observer: is told how it is getting on.

    Returns:
        One outcome per task, in their order.

    Raises:
        OutputError: scores cannot be kept.
        ConfigError: a process was killed.
        KeyboardInterrupt: Ctrl-C; what was finished is kept.
    """
    outcomes: dict[int, Outcome] = {}
    places: dict[int, Path] = {}

    def end(index: int, outcome: Outcome) -> None:
        outcomes[index] = outcome
        observer.ended(outcome)

    for index, task in enumerate(tasks):
        found = _looked_up(task, records)
        if isinstance(found, Outcome):
            observer.advanced(task.work)
            end(index, found)
        else:
            places[index] = found
    pending = list(places)
    # Closing ends the processes at once if anything goes wrong in here.
    with closing(_judged([tasks[i] for i in pending], model, load, jobs, observer)) as judged:
        for number, answer in judged:
            index = pending[number]
            if isinstance(answer, StreamSepError):
                end(index, Outcome(tasks[index], error=answer))
            else:
                records.keep(places[index], answer)
                end(index, Outcome(tasks[index], answer))
    return [outcomes[index] for index in range(len(tasks))]


def _looked_up(task: Task, records: Records) -> Outcome | Path:
    """How a task ended before, or that its song is gone; otherwise where to keep its scores."""
    try:
        place = records.place_of(task)
    except InputError as error:
        return Outcome(task, error=error)
    known = records.find(place)
    return place if known is None else Outcome(task, known)


def _judged(
    tasks: Sequence[Task],
    model: LoadedModel,
    load: Callable[[], LoadedModel] | None,
    jobs: int,
    observer: Observer,
) -> Generator[Ended]:
    jobs = min(jobs, len(tasks))
    if jobs <= 1:
        return judge_here(tasks, model, observer.advanced)
    if load is None:
        raise ConfigError(f"{jobs} jobs need a way to load the network in each; pass load")
    threads = max(1, torch.get_num_threads() // jobs)
    return judge_in_processes(tasks, load, jobs, threads, observer.advanced)
