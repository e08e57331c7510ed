"""A process from which engines are forked, so that one that dies is soon replaced.

Most of an engine's start is the same every time: libraries are imported, weights are read. A zygote
does that once. What serves is a fork of it, which only has to try out its threads; when that one
dies, another fork takes its place::

    keeper ──stdin, stdout──► zygote ──fork──► engine
                                 ◄────pipe───────┘  what it measured; its end is the engine's end

Nothing is twice in memory: pages are shared until somebody writes to them, and a zygote only waits.
What the first engine has measured is handed to the next, which need not measure it again.

A fork has one thread, whatever its parent had, so nothing may have begun others before: an OpenMP
region, for one, would wait in the fork for threads that do not exist. torch computes with a single
thread until then. It is done on Linux alone; the frameworks of macOS forbid such forks.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import sys
import time
from typing import TYPE_CHECKING, NoReturn, TypeVar

from bridge.processes.lifeline import ending_with_lifeline

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ENDED", "Heir", "can_fork", "fork_engines", "how_it_ended"]

ENDED = "ENDED "
"""Begins the line that a zygote prints when it replaces an engine; how that one ended follows."""

Loaded = TypeVar("Loaded")

_STANDARD_INPUT = 0
_BACKOFF_S = (0.1, 10.0)
"""First and longest pause after an engine that ended before it served."""
_STOPPING_S = 5.0
_REFUSED = 2
"""The exit code of what cannot work however often it is tried."""


class Heir:
    """What an engine has got from those before it, and can hand on.

    Args:
        legacy: what the last one handed on; empty for the first.
        pipe: where to write what this one hands on.
    """

    def __init__(self, legacy: str, pipe: int) -> None:
        self.legacy = legacy
        self._pipe = pipe

    def hand_on(self, legacy: str) -> None:
        """Say that this engine serves, and what the next one need not find out again."""
        with contextlib.suppress(OSError):  # the zygote has gone: there will be no heir
            os.write(self._pipe, f"{legacy}\n".encode())


def can_fork() -> bool:
    """Whether engines can be forked here."""
    return sys.platform == "linux"


def fork_engines(load: Callable[[], Loaded]) -> tuple[Loaded, Heir]:
    """Become a zygote; this returns in its forks, one after the other.

    The zygote ends with its standard input, or with an engine that refuses to start.

    Args:
        load: what all engines share; it may start no threads.

    Returns:
        What was loaded, and the legacy.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with ending_with_lifeline():
        loaded = load()
    gc.collect()
    # The collector writes into every object that it looks at, and copies its page by that.
    gc.freeze()
    heir = _rear()
    torch.set_num_threads(threads)
    return loaded, heir


def how_it_ended(exit_code: int) -> str:
    """An exit code as `subprocess` has it, in words."""
    if exit_code >= 0:
        return f"exit code {exit_code}"
    try:
        return f"killed by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"killed by signal {-exit_code}"


def _rear() -> Heir:
    """Fork until there is no more need to; returns in the forks."""
    legacy, pause_s = "", 0.0
    while True:
        sys.stdout.flush()
        sys.stderr.flush()
        reader, writer = os.pipe()
        engine = os.fork()
        if engine == 0:
            os.close(reader)
            return Heir(legacy, writer)
        os.close(writer)
        said = _attend(engine, reader)
        os.close(reader)
        code = os.waitstatus_to_exitcode(os.waitpid(engine, 0)[1])
        pause_s = 0.0 if said else min(max(2 * pause_s, _BACKOFF_S[0]), _BACKOFF_S[1])
        if code == _REFUSED or _alone(pause_s):
            _end(max(0, code))
        legacy = said.strip() or legacy
        sys.stdout.write(f"{ENDED}{how_it_ended(code)}\n")


def _attend(engine: int, reader: int) -> str:
    """Wait for the engine's end; the line that it handed on, empty if it never served."""
    said = b""
    watched = [reader, _STANDARD_INPUT]
    while True:
        ready, _, _ = select.select(watched, [], [])
        if reader in ready:
            piece = os.read(reader, 4096)
            said += piece
            if not piece:
                return said.decode()
        elif not os.read(_STANDARD_INPUT, 4096):
            # The engine reads the same end and stops in order; one that hangs does not.
            if not select.select([reader], [], [], _STOPPING_S)[0]:
                os.kill(engine, signal.SIGKILL)
            watched.remove(_STANDARD_INPUT)


def _alone(pause_s: float) -> bool:
    """Wait; whether whoever started us has gone."""
    end_s = time.monotonic() + pause_s
    while select.select([_STANDARD_INPUT], [], [], max(0.0, end_s - time.monotonic()))[0]:
        if not os.read(_STANDARD_INPUT, 4096):
            return True
    return False


def _end(code: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
