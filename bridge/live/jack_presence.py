"""Notices that a program on the JACK server has gone, which PortAudio does not.

Its stream stays active without anybody at the other end, and when the program comes back nobody
connects it. What is watched is whether the programs have ports, not what these are connected to:
that is the user's to change in a patch bay.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from bridge.jack_client import load_jack, open_jack_client

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["JackPresence"]

_AUDIO = b"32 bit float mono audio"


class JackPresence:
    """A client of the server that has no ports and only looks at those of others.

    Where libjack cannot be loaded or asked, nobody is ever missing.

    Args:
        names: of clients that are there now, as PortAudio calls them.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._client: int | None = None
        self._watched: list[str] = []
        jack = load_jack()
        if jack is None:
            return
        jack.jack_client_close.argtypes = [ctypes.c_void_p]
        jack.jack_get_ports.restype = ctypes.POINTER(ctypes.c_char_p)
        jack.jack_get_ports.argtypes = [
            ctypes.c_void_p,
            ctypes.c_char_p,
            ctypes.c_char_p,
            ctypes.c_ulong,
        ]
        jack.jack_free.argtypes = [ctypes.c_void_p]
        jack.jack_free.restype = None
        self._jack = jack
        self._client = open_jack_client(jack)
        there = self._clients()
        self._watched = [name for name in names if _encoded(name) in there]

    def missing(self) -> str:
        """The name of a client that was there and is no more; empty if all are.

        It looks into the server's shared memory and waits for nobody, nor does it know whether the
        server still lives.
        """
        there = self._clients()
        # No port at all, not even ours: it is the server that is going.
        gone = [name for name in self._watched if there and _encoded(name) not in there]
        return gone[0] if gone else ""

    def close(self) -> None:
        """Leave the server; with one that has died this may never return."""
        if self._client:
            self._jack.jack_client_close(self._client)
            self._client = None

    def _clients(self) -> set[bytes]:
        """Those that have audio ports."""
        if not self._client:
            return set()
        ports = self._jack.jack_get_ports(self._client, None, _AUDIO, 0)
        if not ports:
            return set()
        found: set[bytes] = set()
        index = 0
        while (port := ports[index]) is not None:
            found.add(port.partition(b":")[0])
            index += 1
        self._jack.jack_free(ports)
        return found


def _encoded(name: str) -> bytes:
    return name.encode(errors="surrogateescape")
