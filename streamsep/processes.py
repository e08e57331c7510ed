"""Processes that work side by side and never outlive the one that started them.

They are spawned, not forked, because torch's threads may already be running in the parent. They
ignore Ctrl-C, which a terminal sends to all of a command's processes: the parent hears it too and
ends them. And they end when it is killed, so that none is left behind to compute for nobody.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import connection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["worker_processes"]


@contextmanager
def worker_processes(
    count: int, prepare: Callable[..., None] | None = None, arguments: tuple[object, ...] = ()
) -> Iterator[ProcessPoolExecutor]:
    """Processes for as long as the block lasts; an error in it ends them at once.

    Args:
        count: how many, at least 1.
        prepare: called first in each of them; a function of a module, so that they find it.
        arguments: of `prepare`; they must be possible to pickle.

    Yields:
        What takes the tasks. A process that is killed breaks it: `BrokenProcessPool`.
    """
    others = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context, _start, (prepare, arguments)) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
            raise


def _start(prepare: Callable[..., None] | None, arguments: tuple[object, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if prepare is not None:
        prepare(*arguments)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)
