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
import socket
import time
from typing import TYPE_CHECKING

import zmq
import zmq.auth.thread

from bridge.keys import KnownClients
from bridge.protocol import Error, encode
from bridge.server.broadcast import Broadcast
from bridge.server.control import Control
from bridge.server.door import Door
from bridge.server.sessions import SessionTable
from bridge.server.telemetry import Telemetry
from streamsep.errors import LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bridge.keys import EngineKeys
    from bridge.run_folder import Endpoints
    from bridge.server.engine import Engine
    from bridge.server.sessions import Answer

__all__ = ["EngineServer"]

logger = logging.getLogger(__name__)

_POLL_MS = 100
_AT_ONCE = 256
"""Messages taken from a socket before the others have their turn."""


class EngineServer:
    """Serves sessions until it is stopped.

    Args:
        engine: what the sessions share, warm. It is stopped with the server.
        endpoints: where to serve; several sets serve the same sessions.
        keys: who may come in through addresses that other machines can reach.
        most_sessions: at the same time.

    Raises:
        ConfigError: an address cannot be bound, or may not without keys.
    """

    def __init__(
        self,
        engine: Engine,
        endpoints: Sequence[Endpoints],
        *,
        keys: EngineKeys | None = None,
        most_sessions: int = 64,
    ) -> None:
        self._engine = engine
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._doorman = self._hire_doorman(keys)
        self._doors: list[Door] = []
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        try:
            for each in endpoints:
                guarded = keys if each.audio.startswith("tcp:") else None
                self._doors.append(Door(self._context, each, guarded))
        except BaseException:
            self._close()
            raise
        self._broadcast = Broadcast([door.stems for door in self._doors])
        self.sessions = SessionTable(
            engine, most=most_sessions, publish=self._broadcast.publish, wake=self._wake
        )
        self.telemetry = Telemetry(engine, self.sessions)
        self._control = Control(engine, self.sessions, self.telemetry)
        self._stopped = False
        self._woken = False
        self._tended_s = 0.0

    def run(self, ready: Callable[[], None] | None = None) -> None:
        """Serve until `stop` is called.

        Args:
            ready: called once when clients are served.
        """
        poller = zmq.Poller()
        poller.register(self._wake_reader, zmq.POLLIN)
        for door in self._doors:
            for each in (door.audio, door.control, door.stems):
                poller.register(each, zmq.POLLIN)
        if ready is not None:
            ready()
        try:
            while not self._stopped:
                self._turn({each for each, _ in poller.poll(_POLL_MS)})
            self._send(self.sessions.close())
        finally:
            self._close()

    def stop(self) -> None:
        """Make `run` return; from any thread or signal handler."""
        self._stopped = True
        self._wake()

    def _turn(self, ready: set[object]) -> None:
        """Carry what there is to carry; `ready` are the sockets that have something."""
        if self._wake_reader.fileno() in ready:
            with contextlib.suppress(BlockingIOError):
                while len(self._wake_reader.recv(4096)) == 4096:
                    pass
            # In this order: what was announced until now is carried further down.
            self._woken = False
        for number, door in enumerate(self._doors):
            if door.stems in ready:
                self._broadcast.update()
            if door.audio in ready:
                self._receive_audio(number, door.audio)
            if door.control in ready:
                self._receive_requests(door.control)
        self._send(self.sessions.finished())
        now_s = time.monotonic()
        self._send(self.sessions.attend_waiting(now_s))
        if now_s - self._tended_s > _POLL_MS / 1000:
            self._tended_s = now_s
            self._send(self.sessions.tend(now_s))

    def _receive_audio(self, number: int, audio: zmq.Socket[bytes]) -> None:
        now_s = time.monotonic()
        for _ in range(_AT_ONCE):
            if not _has_message(audio):
                return
            # To copy a block costs less than the objects that would save the copy.
            name, *frames = audio.recv_multipart(zmq.NOBLOCK)
            self._send(self.sessions.handle((number, name), frames, now_s))

    def _receive_requests(self, control: zmq.Socket[bytes]) -> None:
        for _ in range(_AT_ONCE):
            if not _has_message(control):
                return
            # A REQ socket puts an empty frame before the request and expects it back.
            *envelope, request = control.recv_multipart(zmq.NOBLOCK)
            with contextlib.suppress(zmq.ZMQError):  # who has gone needs no answer
                control.send_multipart([*envelope, self._control.answer(request)], zmq.NOBLOCK)

    def _send(self, answers: Sequence[Answer]) -> None:
        for answer in answers:
            try:
                frames = encode(answer.message)
            except LocalProtocolError as error:
                # A fault of ours, and that of one session alone. Its ERROR fits any text.
                self._send(self.sessions.give_up(answer.peer, str(error)))
            else:
                self._deliver(answer, frames)

    def _deliver(self, answer: Answer, frames: Sequence[bytes | memoryview]) -> None:
        number, name = answer.peer
        try:
            self._doors[number].audio.send_multipart([name, *frames], zmq.NOBLOCK)
        except zmq.ZMQError as error:
            # Gone, or so slow that its queue is full: either way it cannot be served.
            if not isinstance(answer.message, Error):
                logger.warning("a peer cannot be reached: %s", error)
            self.sessions.drop(answer.peer)

    def _wake(self) -> None:
        if self._woken:
            return
        self._woken = True
        # A full pipe means that the thread will wake up anyway; a closed one, that it has ended.
        with contextlib.suppress(OSError):
            self._wake_writer.send(b"\0")

    def _hire_doorman(self, keys: EngineKeys | None) -> zmq.auth.thread.ThreadAuthenticator | None:
        """A thread that compares the keys of those who come with the ones that are known then."""
        if keys is None:
            return None
        doorman = zmq.auth.thread.ThreadAuthenticator(self._context)
        doorman.start()
        doorman.configure_curve_callback("*", KnownClients(keys.clients))
        return doorman

    def _close(self) -> None:
        for door in self._doors:
            door.close()
        if self._doorman is not None:
            self._doorman.stop()
        self._context.term()
        self._wake_reader.close()
        self._wake_writer.close()
        self._engine.stop()


def _has_message(socket: zmq.Socket[bytes]) -> bool:
    """Whether a message can be received; much cheaper than an exception that says no."""
    return bool(int(socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN)
