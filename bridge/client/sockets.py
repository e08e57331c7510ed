"""Connecting a socket to an address that somebody has typed."""

from __future__ import annotations

import zmq

from streamsep.errors import ConfigError

__all__ = ["connect"]


def connect(socket: zmq.Socket[bytes], address: str) -> None:
    """Connect a socket; nobody needs to be there yet.

    Raises:
        ConfigError: the address is none that could be connected to; the socket is closed then.
    """
    try:
        socket.connect(address)
    except zmq.ZMQError as error:
        socket.close()
        raise ConfigError(
            f"cannot connect to '{address}' ({error.strerror}); expected ipc://PATH, or "
            "tcp://HOST:PORT with the name or the address of a machine"
        ) from error
