"""A child of this process: its lines come into a queue, and it ends when this one does."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["ChildProcess"]


class ChildProcess:
    """A process that holds on to us by its standard input.

    It has a group of its own, so that Ctrl-C in a terminal reaches this process alone, which then
    ends its children in order; and so that its own children end with it.

    Args:
        command: program and arguments.
        first_line: what to write to its standard input.
    """

    def __init__(self, command: Sequence[str], first_line: str = "") -> None:
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.errors: list[str] = []
        """Its last lines on standard error."""
        self.heard_s = time.monotonic()
        """When it last said anything."""
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            bufsize=1,
            process_group=0 if os.name == "posix" else None,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._readers = [
            self._read(self._process.stdout, self._queue_line),
            self._read(self._process.stderr, self._keep_error),
        ]
        with contextlib.suppress(OSError):
            self._process.stdin.write(first_line)
            self._process.stdin.flush()

    @classmethod
    def of_module(cls, module: str, first_line: str = "") -> ChildProcess:
        """A module of ours as a process."""
        return cls([sys.executable, "-m", module], first_line)

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it lives."""
        return self._process.poll()

    def next_line(self, timeout_s: float) -> str | None:
        """The next line of its standard output; None if none comes in time, or ever again."""
        try:
            line = self._lines.get(timeout=max(0.0, timeout_s))
        except queue.Empty:
            return None
        return line

    @property
    def drained(self) -> bool:
        """Whether it has ended and all its lines have been taken."""
        return self.exit_code is not None and not self._is_held and self._lines.empty()

    def tell(self, line: str) -> None:
        """Write a line to its standard input; it is lost on a child that has ended."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()

    def cut(self) -> None:
        """Close its standard input: it will end soon, in order."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def kill(self) -> None:
        """End it at once, and whatever it has started."""
        if os.name != "posix":
            self._process.kill()
        elif self.exit_code is None or self._is_held:
            # As long as it has not been waited for, or one of its children lives, the group is its.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def close(self, patience_s: float) -> None:
        """End it in order; after a while, at once. Nothing is left of it."""
        self.cut()
        deadline_s = time.monotonic() + patience_s
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience_s)
        for reader in self._readers:
            reader.join(max(0.0, deadline_s - time.monotonic()))
        self.kill()
        self._process.wait()
        for reader in self._readers:
            reader.join(1.0)
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None and not self._is_held:
                pipe.close()

    @property
    def _is_held(self) -> bool:
        """Whether somebody could still write to its pipes: it, or a child that outlived it."""
        return any(reader.is_alive() for reader in self._readers)

    def _read(self, pipe: IO[str], take: Callable[[str], None]) -> threading.Thread:
        def read() -> None:
            with contextlib.suppress(OSError, ValueError):
                for line in pipe:
                    take(line.rstrip("\n"))

        reader = threading.Thread(target=read, name=f"child {self._process.pid}", daemon=True)
        reader.start()
        return reader

    def _queue_line(self, line: str) -> None:
        self.heard_s = time.monotonic()
        self._lines.put(line)

    def _keep_error(self, line: str) -> None:
        self.errors.append(line)
        del self.errors[:-20]
