"""One client's end of a session: a socket and the protocol's view of it. No threads, no retries."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import zmq

from bridge.client.sockets import connect
from bridge.protocol import (
    Bye,
    Error,
    Flush,
    Hello,
    Message,
    Ping,
    Pong,
    Role,
    Session,
    State,
    Stems,
    Welcome,
    decode,
    encode,
)
from streamsep.errors import EngineError, RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from bridge.keys import ClientKeys

__all__ = ["Connection"]

_QUEUED_MESSAGES = 4_096
_LOOK_S = 0.05
_GETTING_READY_S = 15.0
"""An engine may say that it is busy before WELCOME, because it tries a preset out; for so long."""


class Connection:
    """A connection to an engine, with at most one session.

    Args:
        address: of the engine's audio socket.
        keys: for an engine that is reached over a network.

    Raises:
        ConfigError: there can be no such address.
    """

    def __init__(self, address: str, keys: ClientKeys | None = None) -> None:
        self.address = address
        self.session = Session(Role.CLIENT)
        self.heard_s = time.monotonic()
        """When the engine was last heard."""
        self.greeting_s = 0.0
        """Seconds from `open` until the engine was first heard."""
        self._said_s = self.heard_s
        self._pinged_s = 0.0
        self._pings = 0
        self.socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        # What is unsent when this end closes is of no use to anybody.
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.SNDHWM, _QUEUED_MESSAGES)
        self.socket.setsockopt(zmq.RCVHWM, _QUEUED_MESSAGES)
        self.socket.setsockopt(zmq.RECONNECT_IVL, 50)
        self.socket.setsockopt(zmq.RECONNECT_IVL_MAX, 500)
        if keys is not None:
            keys.guard(self.socket)
        connect(self.socket, address)

    @property
    def welcome(self) -> Welcome:
        """What the engine gave."""
        assert self.session.welcome is not None
        return self.session.welcome

    def has_ended(self) -> bool:
        """Whether the session is over; read what has come in to know. For before a stream begins.

        One that the engine has not heard of for half of its patience counts as over: the rest may
        pass while somebody relies on it.
        """
        try:
            while not self._is_over() and self.socket.poll(0):
                self.receive(0)
        except EngineError:
            return True
        silent_ms = 1000 * (time.monotonic() - self._said_s)
        return self._is_over() or silent_ms > self.welcome.timeout_ms / 2

    def open(
        self, hello: Hello, timeout_s: float, *, wanted: Callable[[], bool] = lambda: True
    ) -> Welcome:
        """Open the session and wait for it.

        Args:
            hello: what for.
            timeout_s: seconds until the engine has to answer, or to say that it is busy.
            wanted: asked now and then; once it is not, the waiting ends as if nobody had answered.

        Raises:
            EngineError: the engine refused, or did not answer in time.
        """
        self.greet(hello)
        greeted_s = time.monotonic()
        deadline_s = greeted_s + timeout_s
        while self.session.welcome is None:
            message = self.receive(min(_LOOK_S, max(0.0, deadline_s - time.monotonic())))
            if message is not None and not self.greeting_s:
                self.greeting_s = self.heard_s - greeted_s
            if isinstance(message, Pong) and message.busy:
                deadline_s = max(deadline_s, greeted_s + _GETTING_READY_S)
            if message is None and (time.monotonic() >= deadline_s or not wanted()):
                raise self._no_answer()
        return self.session.welcome

    def greet(self, hello: Hello) -> None:
        """Ask for a session without waiting."""
        self.session.sent(hello)
        self._send(hello)

    def send_audio(self, samples: NDArray[np.float32]) -> None:
        """Send the next block [C, T] of the mixture.

        Raises:
            EngineError: the session is over, or the engine takes nothing.
        """
        self._check_not_over()
        self._send(self.session.audio(samples))

    def send_reset(self, position: int) -> None:
        """Begin another stream.

        Raises:
            EngineError: the session is over, or the engine takes nothing.
        """
        self._check_not_over()
        self._send(self.session.reset(position))

    def send_flush(self) -> None:
        """End the stream.

        Raises:
            EngineError: the session is over, or the engine takes nothing.
        """
        self._check_not_over()
        message = Flush(stream=self.session.stream, epoch=self.session.epoch)
        self.session.sent(message)
        self._send(message)

    def keep_alive(self) -> None:
        """Send a PING if the last one is a while ago: its answer also shows that all is well.

        Raises:
            EngineError: the session is over, or the engine takes nothing.
        """
        self._check_not_over()
        now_s = time.monotonic()
        if now_s - self._pinged_s >= self.welcome.heartbeat_ms / 1000:
            self._pinged_s = now_s
            self._pings += 1
            message = Ping(stream=self.session.stream, sequence=self._pings)
            self.session.sent(message)
            self._send(message)

    def receive(self, timeout_s: float) -> Message | None:
        """Wait for the next message of the present stream.

        Returns:
            The message; None if none came in time or it was a leftover of an older stream.

        Raises:
            EngineError: the engine ended the session, or broke the protocol.
        """
        if not self.socket.poll(int(1000 * timeout_s)):
            return None
        frames = self.socket.recv_multipart(copy=False)
        self.heard_s = time.monotonic()
        try:
            message = decode([frame.buffer for frame in frames])
            fresh = self.session.received(message)
        except RemoteProtocolError as error:
            raise EngineError(
                f"the engine at {self.address} broke the protocol: {error}"
            ) from error
        if isinstance(message, Error):
            raise EngineError(f"the engine at {self.address} says: {message.text}")
        if isinstance(message, Bye):
            raise EngineError(f"the engine at {self.address} ended the session: {message.reason}")
        if isinstance(message, Stems) and not fresh:
            return None
        return message

    def close(self) -> None:
        """End the session, if there is one, and the connection."""
        if self.socket.closed:
            return
        if self.session.welcome is not None:
            # Lingering just long enough for the BYE; a dead engine must not hold anybody up.
            self.socket.setsockopt(zmq.LINGER, 50)
            with contextlib.suppress(EngineError):  # it takes nothing, and needs no BYE
                self._send(Bye(stream=self.session.stream))
        self.socket.close()

    def _is_over(self) -> bool:
        return self.socket.closed or self.session.state is State.OVER

    def _check_not_over(self) -> None:
        if self._is_over():
            raise EngineError(f"the session with the engine at {self.address} is over")

    def _send(self, message: Message) -> None:
        self._said_s = time.monotonic()
        try:
            self.socket.send_multipart(encode(message), zmq.NOBLOCK)
        except zmq.Again as error:
            if self.session.welcome is None:
                # The handshake has failed before there was anything to send: wrong keys, or none.
                raise self._no_answer() from error
            raise EngineError(f"the engine at {self.address} takes no messages") from error

    def _no_answer(self) -> EngineError:
        return EngineError(f"no engine answers at {self.address}; start one with 'streamsep serve'")
