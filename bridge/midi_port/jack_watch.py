"""Notices that the JACK server has died, which rtmidi does not.

After a server's death rtmidi goes on listing ports and sending to nobody, and closing it crashes
the process once another server has started. libjack itself knows within milliseconds and calls
whoever has asked to be told.
"""

from __future__ import annotations

import ctypes
import ctypes.util

__all__ = ["JackWatch"]

_NO_START_SERVER = 1
_CLIENT = b"streamsep-watch"


class JackWatch:
    """A client of the server that does nothing but live as long as it does.

    It is never closed: a process whose server has died has to end anyway.
    """

    def __init__(self) -> None:
        self.server_gone = False
        name = ctypes.util.find_library("jack")
        if name is None:
            return
        library = ctypes.CDLL(name)
        callback = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
        library.jack_client_open.restype = ctypes.c_void_p
        library.jack_on_shutdown.argtypes = [ctypes.c_void_p, callback, ctypes.c_void_p]
        library.jack_on_shutdown.restype = None
        status = ctypes.c_int()
        client = library.jack_client_open(
            _CLIENT, ctypes.c_int(_NO_START_SERVER), ctypes.byref(status)
        )
        if not client:
            self.server_gone = True
            return
        # Kept, or the library would call what is no longer there.
        self._callback = callback(self._on_shutdown)
        library.jack_on_shutdown(client, self._callback, None)

    def _on_shutdown(self, _: object) -> None:
        self.server_gone = True
