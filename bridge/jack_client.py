"""A client of the JACK server that plays nothing and only learns what goes on there."""

from __future__ import annotations

import ctypes
import ctypes.util

__all__ = ["load_jack", "open_jack_client"]

_NO_START_SERVER = 1
_NAME = b"streamsep-watch"


def load_jack() -> ctypes.CDLL | None:
    """libjack; None where this machine has none that can be loaded."""
    name = ctypes.util.find_library("jack")
    if name is None:
        return None
    try:
        return ctypes.CDLL(name)
    except OSError:
        return None


def open_jack_client(jack: ctypes.CDLL) -> int | None:
    """Open a client, and start no server for it.

    Args:
        jack: from `load_jack`.

    Returns:
        What libjack's functions call the client; None if no server takes it.
    """
    jack.jack_client_open.restype = ctypes.c_void_p
    status = ctypes.c_int()
    handle: int | None = jack.jack_client_open(
        _NAME, ctypes.c_int(_NO_START_SERVER), ctypes.byref(status)
    )
    return handle
