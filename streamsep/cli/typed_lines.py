"""Lines that somebody types while the command does something else."""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["TypedLines", "unseen_typing"]


class TypedLines:
    """Lines of standard input, without waiting for them."""

    def __init__(self) -> None:
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read, name="typed", daemon=True).start()

    def next(self) -> str | None:
        """The next line, in lower case; None if none has been typed."""
        return None if self._lines.empty() else self._lines.get()

    def _read(self) -> None:
        with contextlib.suppress(ValueError, OSError):  # standard input is closed
            for line in sys.stdin:
                self._lines.put(line.strip().lower())


@contextmanager
def unseen_typing() -> Iterator[None]:
    """Do not show what is typed: it would tear up a picture. Nothing happens without a terminal."""
    try:
        import termios
    except ImportError:  # Windows
        yield
        return
    if not sys.stdin.isatty():
        yield
        return
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    silent = termios.tcgetattr(terminal)
    silent[3] &= ~termios.ECHO
    termios.tcsetattr(terminal, termios.TCSADRAIN, silent)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
