"""One set of addresses at which an engine can be reached: three sockets and who may use them.

An engine has a door for the processes of its user, and may have one more to the network. CURVE
belongs to a socket and not to an address, so what is guarded and what is not cannot share one.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import zmq

from bridge.protocol.limits import LARGEST_BODY
from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from bridge.keys import EngineKeys
    from bridge.run_folder import Endpoints

__all__ = ["Door"]

_QUEUED_MESSAGES = 4_096
_QUEUED_BROADCASTS = 64
_LARGEST_REQUEST = 64 * 1024


class Door:
    """The bound sockets of one set of addresses.

    Args:
        context: of the sockets.
        endpoints: where to bind.
        keys: who may come in; None for everybody who can reach the address.

    Raises:
        ConfigError: an address cannot be bound, or may not without keys.
    """

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], endpoints: Endpoints, keys: EngineKeys | None
    ) -> None:
        if keys is None:
            endpoints.check_private()
        self.audio = context.socket(zmq.ROUTER)
        # A message for a peer that has gone is an error, which ends the session, and not a silence.
        self.audio.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.control = context.socket(zmq.ROUTER)
        self.stems = context.socket(zmq.XPUB)
        self._limit()
        # Sockets that only their owner may open, whatever the folder's mode.
        mask = os.umask(0o077)
        try:
            for socket, address in (
                (self.audio, endpoints.audio),
                (self.control, endpoints.control),
                (self.stems, endpoints.stems),
            ):
                if keys is not None:
                    keys.guard(socket)
                socket.bind(address)
        except zmq.ZMQError as error:
            self.close()
            raise ConfigError(
                f"cannot serve at {address}: {error.strerror or error}; choose another address"
            ) from error
        finally:
            os.umask(mask)

    def close(self) -> None:
        """Close the sockets; what was sent just now still has a moment to leave."""
        for socket in (self.audio, self.control, self.stems):
            socket.close()

    def _limit(self) -> None:
        """Cap what may queue up and how large it may be."""
        for socket in (self.audio, self.control, self.stems):
            socket.setsockopt(zmq.LINGER, 200)
            socket.setsockopt(zmq.SNDHWM, _QUEUED_MESSAGES)
            socket.setsockopt(zmq.RCVHWM, _QUEUED_MESSAGES)
            socket.setsockopt(zmq.MAXMSGSIZE, _LARGEST_REQUEST)
        self.audio.setsockopt(zmq.MAXMSGSIZE, LARGEST_BODY + 1024)
        # A listener that does not keep up loses the newest and hears what is not too old.
        self.stems.setsockopt(zmq.SNDHWM, _QUEUED_BROADCASTS)
        self.stems.setsockopt(zmq.SNDBUF, 64 * 1024)
