"""A child that ends with its parent, whatever becomes of the parent.

The parent holds the writing end of the child's standard input and never closes it while it lives.
However it ends, by its own will or by SIGKILL, the system closes that end, and the child reads the
end of the file. That works on every system and needs nobody to run a handler.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["ending_with_lifeline", "watch_lifeline"]

_STANDARD_INPUT = 0


def watch_lifeline(when_cut: Callable[[], None]) -> None:
    """Call a function, in a thread of its own, once standard input has ended.

    What is written there meanwhile is skipped.
    """

    def watch() -> None:
        while os.read(_STANDARD_INPUT, 4096):
            pass
        when_cut()

    threading.Thread(target=watch, name="lifeline", daemon=True).start()


@contextmanager
def ending_with_lifeline() -> Iterator[None]:
    """For as long as the block lasts, SIGTERM once standard input has ended; not on Windows.

    No thread is left of it, so that the process may fork.
    """
    reader, writer = os.pipe()

    def watch() -> None:
        while True:
            ready, _, _ = select.select([reader, _STANDARD_INPUT], [], [])
            if reader in ready:
                return
            if not os.read(_STANDARD_INPUT, 4096):
                signal.raise_signal(signal.SIGTERM)
                return

    watcher = threading.Thread(target=watch, name="lifeline")
    watcher.start()
    try:
        yield
    finally:
        os.close(writer)
        watcher.join()
        os.close(reader)
