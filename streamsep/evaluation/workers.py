"""Songs judged side by side, in processes that have a network each."""

from __future__ import annotations

import multiprocessing
import queue
from concurrent.futures import FIRST_COMPLETED, wait
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from typing import TYPE_CHECKING

import torch

from streamsep.devices.out_of_memory import is_out_of_memory, release_memory
from streamsep.errors import ConfigError, StreamSepError
from streamsep.evaluation.scoring import score_song
from streamsep.processes import worker_processes

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from concurrent.futures import Future
    from multiprocessing.queues import Queue

    from streamsep.evaluation.records import Task
    from streamsep.evaluation.scores import SongScores
    from streamsep.models import LoadedModel

    LoadModel = Callable[[], LoadedModel]
    Advance = Callable[[float], None]
    Ended = tuple[int, SongScores | StreamSepError]

__all__ = ["judge_here", "judge_in_processes"]

POLL_S = 0.2


def judge_here(tasks: Sequence[Task], model: LoadedModel, advance: Advance) -> Generator[Ended]:
    """Do the tasks one after the other in this process; yield each one's number and scores."""
    for number, task in enumerate(tasks):
        yield number, _judge(task, lambda: model, advance)


def judge_in_processes(
    tasks: Sequence[Task], load: LoadModel, jobs: int, threads: int, advance: Advance
) -> Generator[Ended]:
    """Do the tasks in processes of their own, in the order in which they happen to end.

    Args:
        tasks: what to do.
        load: loads the network in each process; it must be possible to pickle.
        jobs: how many processes.
        threads: threads of torch in each.
        advance: is told the work done, see `Task.work`.

    Yields:
        The number of a task, and its scores or why there are none.

    Raises:
        ConfigError: a process was killed, usually for its memory.
    """
    progress: Queue[float] = multiprocessing.get_context("spawn").Queue()
    with worker_processes(jobs, _prepare, (load, threads, progress)) as pool:
        futures = {pool.submit(_judge_in_worker, task): number for number, task in enumerate(tasks)}
        waiting = set(futures)
        while waiting:
            # In slices, which keep this thread open for Ctrl-C and for the progress.
            done, waiting = wait(waiting, timeout=POLL_S, return_when=FIRST_COMPLETED)
            _drain(progress, advance)
            for future in done:
                yield futures[future], _answer(future)


def _answer(future: Future[SongScores | StreamSepError]) -> SongScores | StreamSepError:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise ConfigError(
            "a process that judged a song was killed, perhaps for its memory: use fewer jobs (-j); "
            "finished songs are kept"
        ) from error


def _drain(progress: Queue[float], advance: Advance) -> None:
    while True:
        try:
            advance(progress.get_nowait())
        except queue.Empty:
            return


def _judge(task: Task, load: LoadModel, advance: Advance) -> SongScores | StreamSepError:
    """Do one task; that a song cannot be judged is an answer too."""
    per_sample = task.work / task.song.frames

    def on_progress(samples: int) -> None:
        advance(samples * per_sample)

    try:
        return score_song(task.song, task.method, load(), bss=task.bss, on_progress=on_progress)
    except StreamSepError as error:
        return error
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    # The error is let go of before: it holds on to all that was computed.
    release_memory()
    return ConfigError("memory ran out: use a shorter --segment or fewer jobs (-j)")


class _Worker:
    """What one process has: its network, and the way to its parent."""

    load: LoadModel
    progress: Queue[float]


def _prepare(load: LoadModel, threads: int, progress: Queue[float]) -> None:
    progress.cancel_join_thread()  # nobody waits for the last of it
    torch.set_num_threads(threads)
    _Worker.load = staticmethod(cache(load))
    _Worker.progress = progress


def _judge_in_worker(task: Task) -> SongScores | StreamSepError:
    return _judge(task, _Worker.load, _Worker.progress.put)
