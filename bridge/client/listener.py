"""Listening to one stem of somebody else's session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import zmq

from bridge.client.sockets import connect
from bridge.protocol import Stems, decode, topic_of
from streamsep.closing import Closing
from streamsep.errors import EngineError, RemoteProtocolError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bridge.keys import ClientKeys

__all__ = ["StemListener"]


class StemListener(Closing):
    """Hears one stem of a session from now on.

    Args:
        address: of the engine's stems socket.
        stream: the session's number.
        stem: name of the stem.
        keys: for an engine that is reached over a network.
    """

    def __init__(
        self, address: str, stream: int, stem: str, *, keys: ClientKeys | None = None
    ) -> None:
        self.lost = 0
        """Samples that were not heard because this end was too slow."""
        self.ended = False
        """Whether the stream that was heard last has come to its end."""
        self._epoch = -1
        self._position = 0
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
        self._socket.setsockopt(zmq.LINGER, 0)
        # Whoever is slow shall hear what is not too old.
        self._socket.setsockopt(zmq.RCVHWM, 64)
        if keys is not None:
            keys.guard(self._socket)
        self._socket.setsockopt(zmq.SUBSCRIBE, topic_of(stream, stem))
        connect(self._socket, address)

    def receive(self, timeout_s: float) -> NDArray[np.float32] | None:
        """Wait for the next samples [C, n] of the stem; None if none came in time.

        Raises:
            EngineError: what came is no message.
        """
        if not self._socket.poll(int(1000 * timeout_s)):
            return None
        _, *frames = self._socket.recv_multipart()
        try:
            message = decode(frames)
        except RemoteProtocolError as error:
            raise EngineError(f"the engine broke the protocol: {error}") from error
        if not isinstance(message, Stems):
            raise EngineError("the engine broadcasts something other than stems")
        if message.epoch == self._epoch and message.position > self._position:
            self.lost += message.position - self._position
        self._epoch = message.epoch
        self._position = message.position + message.samples.shape[-1]
        self.ended = message.end
        return message.samples[0]

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()
