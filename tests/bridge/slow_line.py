"""A line to an engine that takes its time, can be cut, and can swallow what is said."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["SlowLine"]


class SlowLine:
    """Carries TCP connections to a port of this machine.

    Args:
        port: where to.
        delay_s: seconds that whatever is said is under way, in each direction.
    """

    def __init__(self, port: int, delay_s: float) -> None:
        self._port = port
        self._delay_s = delay_s
        self._ends: list[socket.socket] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self._server.getsockname()[1]}"
        self.swallows = False
        """Whether nothing is carried any more."""
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.cut()

    def cut(self) -> None:
        """End the connections; others can be made at once."""
        ends, self._ends = self._ends, []
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._port))
            self._ends += [near, far]
            for begin, end in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(begin, end), daemon=True).start()

    def _carry(self, begin: socket.socket, end: socket.socket) -> None:
        with begin, contextlib.suppress(OSError):
            while said := begin.recv(1 << 20):
                time.sleep(self._delay_s)
                if not self.swallows:
                    end.sendall(said)
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
