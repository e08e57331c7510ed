"""The signals that tell a command to finish what it has begun, and to end."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["EndingSignals"]


class EndingSignals:
    """Takes note of Ctrl-C, a termination and a hang-up from now on, in place of ending at once."""

    def __init__(self) -> None:
        self.came = False
        """Whether it is time to end."""
        self._interrupts = False
        heeded = [signal.SIGINT, signal.SIGTERM]
        # Whoever ignores it wants the command to outlive the terminal: nohup does. SIGINT is
        # ignored by any script's `&`, though, without anybody having asked for it, and still has
        # to end it.
        if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            heeded.append(signal.SIGHUP)
        for number in heeded:
            signal.signal(number, self._note)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Within it, a signal ends what is being done, which does not ask whether to go on."""
        self._interrupts = True
        try:
            yield
        except KeyboardInterrupt:
            self.came = True
        finally:
            self._interrupts = False

    def _note(self, *_: object) -> None:
        self.came = True
        if self._interrupts:
            raise KeyboardInterrupt
