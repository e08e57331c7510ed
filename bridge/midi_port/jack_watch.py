"""Notices that the JACK server has died, which rtmidi does not.

After a server's death rtmidi goes on listing ports and sending to nobody, and closing it crashes
the process once another server has started. libjack itself knows within milliseconds and calls
whoever has asked to be told.
"""

from __future__ import annotations

import ctypes

from bridge.jack_client import load_jack, open_jack_client

__all__ = ["JackWatch"]


class JackWatch:
    """A client of the server that does nothing but live as long as it does.

    It is never closed: a process whose server has died has to end anyway.
    """

    def __init__(self) -> None:
        self.server_gone = False
        jack = load_jack()
        if jack is None:
            return
        callback = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
        jack.jack_on_shutdown.argtypes = [ctypes.c_void_p, callback, ctypes.c_void_p]
        jack.jack_on_shutdown.restype = None
        client = open_jack_client(jack)
        if not client:
            self.server_gone = True
            return
        # Kept, or the library would call what is no longer there.
        self._callback = callback(self._on_shutdown)
        jack.jack_on_shutdown(client, self._callback, None)

    def _on_shutdown(self, _: object) -> None:
        self.server_gone = True
