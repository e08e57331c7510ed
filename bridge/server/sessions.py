"""The sessions of all peers: what each message leads to, without a socket in sight.

Messages of a peer go in with the time, answers come out. A peer is whatever names a connection; one
connection is one session. Whoever breaks the protocol loses the session, and nothing else happens.
"""

from __future__ import annotations

import logging
import secrets
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bridge.protocol import (
    LONGEST_BLOCK,
    Audio,
    Bye,
    Error,
    ErrorCode,
    Flush,
    Hello,
    Message,
    Mode,
    Ping,
    Pong,
    Reset,
    Role,
    Session,
    Stems,
    Welcome,
    decode,
)
from bridge.protocol.limits import LARGEST_BODY
from bridge.server.offers import OfferRefusedError
from bridge.server.waiting_room import WaitingRoom
from streamsep._version import __version__
from streamsep.errors import RemoteProtocolError, StreamSepError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bridge.server.engine import Engine
    from bridge.server.offers import Offer
    from bridge.server.stream_worker import Finished, StreamWorker

__all__ = ["Answer", "Peer", "ServedSession", "SessionTable"]

logger = logging.getLogger(__name__)

_HEARTBEAT_MS = 300
_TIMEOUT_MS = {Mode.LIVE: 1_500, Mode.OFFLINE: 60_000}
"""A script may think between two blocks; what plays has no such excuse."""
_WINDOW_S = 10.0
_MOST_MESSAGES_PER_S = 20_000

Peer = tuple[int, bytes]
"""What names a connection: the door that it came through, and its name there."""


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """A message on its way to a peer."""

    peer: Peer
    message: Message


@dataclass(slots=True, eq=False)
class ServedSession:
    """One session: the protocol's view, the stream, and what is known about it.

    Attributes:
        peer: its connection.
        protocol: who may say what.
        hello: what was asked for.
        welcome: what was given.
        offer: what it takes.
        worker: its stream.
        heard_s: when the peer was last heard.
        probed_s: when it was last sent something to see whether it is there.
        substituted: messages of stems in which something was late.
    """

    peer: Peer
    protocol: Session
    hello: Hello
    welcome: Welcome
    offer: Offer
    worker: StreamWorker
    heard_s: float
    probed_s: float = 0.0
    substituted: int = 0
    _second: int = field(default=0, repr=False)
    _messages: int = field(default=0, repr=False)

    def note_message(self, now_s: float) -> None:
        """Count a message.

        Raises:
            RemoteProtocolError: there were too many within a second.
        """
        self.heard_s = now_s
        if int(now_s) != self._second:
            self._second, self._messages = int(now_s), 0
        self._messages += 1
        if self._messages > _MOST_MESSAGES_PER_S:
            raise RemoteProtocolError(
                f"more than {_MOST_MESSAGES_PER_S} messages in a second", code=ErrorCode.LIMIT
            )


class SessionTable:
    """All sessions of an engine. Used from one thread.

    Args:
        engine: what the sessions share.
        most: sessions at the same time.
        publish: called with stems that are on their way, and their names.
        wake: called from any thread when `finished` has something to say.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        most: int,
        publish: Callable[[Stems, Sequence[str]], None],
        wake: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._most = most
        self._publish = publish
        self._wake = wake
        self._sessions: dict[Peer, ServedSession] = {}
        self._waiting = WaitingRoom[Peer](engine.get_ready_for, wake)
        self._finished: deque[tuple[ServedSession, Finished]] = deque()
        self.opened = 0
        """Sessions opened since the start."""
        self.refused = 0
        """Sessions that were not let in since the start."""
        self.broken = 0
        """Messages that broke the protocol since the start."""

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[ServedSession]:
        return iter(list(self._sessions.values()))

    def handle(
        self, peer: Peer, frames: Sequence[bytes | memoryview], now_s: float
    ) -> list[Answer]:
        """What a message leads to.

        Args:
            peer: from whom.
            frames: as they came.
            now_s: by the scheduler's clock.
        """
        session = self._sessions.get(peer)
        try:
            if session is not None:
                session.note_message(now_s)
            message = decode(frames)
            if session is not None:
                return self._within(session, message, now_s)
            return self._without(peer, message, now_s)
        except RemoteProtocolError as error:
            self.broken += 1
            return self._fail(peer, ErrorCode(error.code), str(error))

    def finished(self) -> list[Answer]:
        """What the streams have done since the last call."""
        answers: list[Answer] = []
        while self._finished:
            session, done = self._finished.popleft()
            if self._sessions.get(session.peer) is not session:
                continue
            if done.error is not None:
                answers += self._fail(session.peer, ErrorCode.INTERNAL, done.error)
            elif done.epoch == session.protocol.epoch:
                answers += self._stems(session, done)
        return answers

    def attend_waiting(self, now_s: float) -> list[Answer]:
        """Answer those for whom the engine had to get ready, or is still about it."""
        answers: list[Answer] = []
        for each in self._waiting.take_out(now_s):
            error = each.outcome()
            if error is None:
                answers += self._open(each.peer, each.hello, now_s)
            else:
                answers.append(self._refuse(each.peer, each.hello, error))
        for peer in self._waiting.take_untold(now_s, _HEARTBEAT_MS / 1000):
            answers.append(Answer(peer, Pong(stream=0, busy=True)))
        return answers

    def tend(self, now_s: float) -> list[Answer]:
        """End the sessions whose peers have been silent for too long; see whether the rest live.

        A peer that is silent but connected is fine. Whether it is connected shows when something
        is sent to it, so a PONG is, even if nobody asked.
        """
        answers: list[Answer] = []
        for session in self:
            silent_s = now_s - session.heard_s
            if silent_s > session.welcome.timeout_ms / 1000:
                text = f"nothing was heard for {session.welcome.timeout_ms} ms"
                answers += self._fail(session.peer, ErrorCode.NO_SESSION, text)
            elif min(silent_s, now_s - session.probed_s) > _HEARTBEAT_MS / 1000:
                session.probed_s = now_s
                pong = Pong(stream=session.welcome.stream, busy=session.worker.busy)
                answers.append(Answer(session.peer, pong))
        return answers

    def drop(self, peer: Peer) -> None:
        """A connection is gone."""
        self._waiting.drop(peer)
        session = self._sessions.pop(peer, None)
        if session is not None:
            self._engine.close_stream(session.worker)
            logger.info(
                "session %08x of '%s' is over", session.welcome.stream, session.hello.client
            )

    def give_up(self, peer: Peer, text: str) -> list[Answer]:
        """End a session for a fault of our own.

        Args:
            peer: whose.
            text: what is wrong.
        """
        return self._fail(peer, ErrorCode.INTERNAL, text)

    def close(self) -> list[Answer]:
        """End all sessions."""
        answers = [
            Answer(each.peer, Bye(stream=each.welcome.stream, reason="the engine stops"))
            for each in self
        ]
        self._waiting.close()
        for each in self:
            self.drop(each.peer)
        return answers

    def _without(self, peer: Peer, message: Message, now_s: float) -> list[Answer]:
        """A message of a peer that has no session."""
        if isinstance(message, Ping):
            return [Answer(peer, Pong(stream=message.stream, sequence=message.sequence))]
        if isinstance(message, Hello) and peer not in self._waiting:
            return self._open(peer, message, now_s)
        if isinstance(message, Bye):
            self._waiting.drop(peer)
            return []
        if peer in self._waiting:
            raise RemoteProtocolError(
                f"{type(message).__name__.upper()} is out of turn: wait for WELCOME",
                code=ErrorCode.OUT_OF_TURN,
            )
        raise RemoteProtocolError(
            "this session is over or never was; say HELLO first", code=ErrorCode.NO_SESSION
        )

    def _within(self, session: ServedSession, message: Message, now_s: float) -> list[Answer]:
        """A message of a peer that has a session."""
        if not session.protocol.received(message):
            return []
        match message:
            case Audio():
                session.worker.push(message.samples, now_s)
            case Flush():
                session.worker.flush(now_s)
            case Reset():
                session.worker.reset(message.epoch)
            case Ping():
                pong = Pong(
                    stream=session.welcome.stream,
                    sequence=message.sequence,
                    busy=session.worker.busy,
                )
                return [Answer(session.peer, pong)]
            case Bye():
                self.drop(session.peer)
        return []

    def _open(self, peer: Peer, hello: Hello, now_s: float) -> list[Answer]:
        """Let somebody in, or wait, or refuse it."""
        try:
            if len(self) + len(self._waiting) >= self._most:
                raise OfferRefusedError(
                    f"no room: {len(self)} sessions are open, at most {self._most} can be",
                    for_lack_of_room=True,
                )
            if not self._engine.is_ready_for(hello):
                self._waiting.add(peer, hello, now_s)
                return []
            session = self._let_in(peer, hello, now_s)
        except StreamSepError as error:
            return [self._refuse(peer, hello, error)]
        self.opened += 1
        logger.info(
            "session %08x of '%s': %s, %d Hz, %d channels, preset %s",
            session.welcome.stream,
            hello.client,
            hello.mode,
            hello.sample_rate,
            hello.channels,
            session.welcome.preset,
        )
        return [Answer(peer, session.welcome)]

    def _refuse(self, peer: Peer, hello: Hello, error: StreamSepError) -> Answer:
        self.refused += 1
        lack = isinstance(error, OfferRefusedError) and error.for_lack_of_room
        code = ErrorCode.REFUSED if lack else ErrorCode.UNSUPPORTED
        logger.warning("refused '%s': %s", hello.client, error)
        return Answer(peer, Error(code=code, text=str(error)))

    def _let_in(self, peer: Peer, hello: Hello, now_s: float) -> ServedSession:
        offer = self._engine.offer(hello)
        # The worker needs the session to deliver to, and the session the worker's latency.
        holder: list[ServedSession] = []

        def deliver(done: Finished) -> None:
            self._finished.append((holder[0], done))
            self._wake()

        worker = self._engine.open_stream(offer, hello, deliver)
        welcome = self._welcome(hello, offer, worker)
        protocol = Session(Role.ENGINE)
        protocol.received(hello)
        protocol.sent(welcome)
        session = ServedSession(peer, protocol, hello, welcome, offer, worker, now_s)
        holder.append(session)
        self._sessions[peer] = session
        return session

    def _welcome(self, hello: Hello, offer: Offer, worker: StreamWorker) -> Welcome:
        network, resampling = worker.latency_terms
        taken = {each.welcome.stream for each in self}
        stream = secrets.randbits(32)
        while stream == 0 or stream in taken:
            stream = secrets.randbits(32)
        window = network + resampling + offer.budget + int(_WINDOW_S * hello.sample_rate)
        return Welcome(
            stream=stream,
            engine=f"streamsep {__version__}",
            model=self._engine.model,
            stems=self._engine.sources,
            sample_rate=hello.sample_rate,
            channels=hello.channels,
            preset=offer.preset,
            consistency=offer.consistency,
            network_latency=network,
            resampling_latency=resampling,
            budget=offer.budget,
            window=max(window, 2 * hello.block),
            heartbeat_ms=_HEARTBEAT_MS,
            timeout_ms=_TIMEOUT_MS[hello.mode],
        )

    def _stems(self, session: ServedSession, done: Finished) -> list[Answer]:
        """Stems in messages that are not longer than allowed, the last of them marked."""
        samples = done.samples
        assert samples is not None
        session.substituted += done.substituted
        stems, channels, length = samples.shape
        longest = min(LONGEST_BLOCK, LARGEST_BODY // (4 * stems * channels))
        answers = []
        for start in range(0, max(length, 1), longest):
            part = samples[..., start : start + longest]
            message = session.protocol.stems(
                part, end=done.end and start + longest >= length, substituted=done.substituted
            )
            answers.append(Answer(session.peer, message))
            self._publish(message, session.welcome.stems)
        return answers

    def _fail(self, peer: Peer, code: ErrorCode, text: str) -> list[Answer]:
        """Tell a peer what was wrong and end its session, if it has one."""
        session = self._sessions.get(peer)
        stream = 0 if session is None else session.welcome.stream
        if session is not None:
            logger.warning("session %08x of '%s': %s", stream, session.hello.client, text)
        self.drop(peer)
        return [Answer(peer, Error(stream=stream, code=code, text=text))]
