"""A child that ends with its parent, whatever becomes of the parent.

The parent holds the writing end of the child's standard input and never closes it while it lives.
However it ends, by its own will or by SIGKILL, the system closes that end, and the child reads the
end of the file. That works on every system and needs nobody to run a handler.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["watch_lifeline"]

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
