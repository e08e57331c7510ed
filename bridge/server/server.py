"""The engine's sockets: one thread that carries messages and never computes.

::

    clients ─ audio (ROUTER) ──┐                         ┌─ stream ─┐
    tools ── control (ROUTER) ─┼─ this thread ─ sessions ┼─ stream ─┼─ scheduler ─ device
    listeners ─ stems (XPUB) ──┘        ▲                └─ stream ─┘
                                        └──── wake ───────────┘
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time
from typing import TYPE_CHECKING

import zmq

from bridge.protocol import Error, encode
from bridge.protocol.limits import LARGEST_BODY
from bridge.server.sessions import SessionTable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bridge.run_folder import Endpoints
    from bridge.server.engine import Engine
    from bridge.server.sessions import Answer

__all__ = ["EngineServer"]

logger = logging.getLogger(__name__)

_POLL_MS = 100
_QUEUED_MESSAGES = 4_096
_AT_ONCE = 256
"""Messages taken from a socket before the others have their turn."""


class EngineServer:
    """Serves sessions until it is stopped.

    Args:
        engine: what the sessions share, warm. It is stopped with the server.
        endpoints: addresses to serve at; several sets serve the same sessions.
        most_sessions: at the same time.

    Raises:
        zmq.ZMQError: an address cannot be bound.
    """

    def __init__(
        self, engine: Engine, endpoints: Sequence[Endpoints], *, most_sessions: int = 64
    ) -> None:
        self._engine = engine
        self._context = zmq.Context()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        self.sessions = SessionTable(engine, most=most_sessions, wake=self._wake)
        self._audio = self._socket(zmq.ROUTER)
        # A message for a peer that has gone is an error, which ends the session, and not a silence.
        self._audio.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._stopped = False
        try:
            # Sockets that only their owner may open, whatever the folder's mode.
            mask = os.umask(0o077)
            try:
                for each in endpoints:
                    self._audio.bind(each.audio)
            finally:
                os.umask(mask)
        except zmq.ZMQError:
            self._close()
            raise

    def run(self, ready: Callable[[], None] | None = None) -> None:
        """Serve until `stop` is called.

        Args:
            ready: called once when clients are served.
        """
        poller = zmq.Poller()
        poller.register(self._audio, zmq.POLLIN)
        poller.register(self._wake_reader, zmq.POLLIN)
        if ready is not None:
            ready()
        try:
            while not self._stopped:
                poller.poll(_POLL_MS)
                self._drain_wake()
                self._receive()
                self._send(self.sessions.finished())
                self._send(self.sessions.tend(time.monotonic()))
            self._send(self.sessions.close())
        finally:
            self._close()

    def stop(self) -> None:
        """Make `run` return; from any thread or signal handler."""
        self._stopped = True
        self._wake()

    def _wake(self) -> None:
        # A full pipe means that the thread will wake up anyway; a closed one, that it has ended.
        with contextlib.suppress(OSError):
            self._wake_writer.send(b"\0")

    def _drain_wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while len(self._wake_reader.recv(4096)) == 4096:
                pass

    def _receive(self) -> None:
        now_s = time.monotonic()
        for _ in range(_AT_ONCE):
            try:
                peer, *frames = self._audio.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            answers = self.sessions.handle(peer.bytes, [frame.buffer for frame in frames], now_s)
            self._send(answers)

    def _send(self, answers: Sequence[Answer]) -> None:
        for answer in answers:
            try:
                self._audio.send_multipart([answer.peer, *encode(answer.message)], zmq.NOBLOCK)
            except zmq.ZMQError as error:
                # Gone, or so slow that its queue is full: either way it cannot be served.
                if not isinstance(answer.message, Error):
                    logger.warning("a peer cannot be reached: %s", error)
                self.sessions.drop(answer.peer)

    def _socket(self, kind: int) -> zmq.Socket[bytes]:
        made = self._context.socket(kind)
        made.setsockopt(zmq.LINGER, 200)
        made.setsockopt(zmq.SNDHWM, _QUEUED_MESSAGES)
        made.setsockopt(zmq.RCVHWM, _QUEUED_MESSAGES)
        made.setsockopt(zmq.MAXMSGSIZE, LARGEST_BODY + 1024)
        return made

    def _close(self) -> None:
        self._audio.close()
        self._context.term()
        self._wake_reader.close()
        self._wake_writer.close()
        self._engine.stop()
