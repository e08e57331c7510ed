"""Who may say what when: one state machine, used by both ends.

::

              HELLO           WELCOME          FLUSH           STEMS (end)
      NEW ────────► GREETED ────────► OPEN ────────► DRAINING ────────► DRAINED
                                       ▲ │ AUDIO        │                  │
                                       └─┴──────────────┴───── RESET ──────┘

ERROR and BYE lead from everywhere to OVER; PING and PONG change nothing and are allowed until then.

Messages cross on the way: after the client's RESET, stems of the stream before are still coming. An
epoch counts the streams of a session, and what belongs to an older one is dropped here without a
word, on either side.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from bridge.protocol.messages import (
    Audio,
    Bye,
    Error,
    ErrorCode,
    Flush,
    Hello,
    Message,
    Ping,
    Pong,
    Reset,
    Stems,
    Welcome,
)
from streamsep.errors import LocalProtocolError, RemoteProtocolError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Role", "Session", "State"]


class Role(Enum):
    """The two ends of a session."""

    CLIENT = auto()
    ENGINE = auto()

    @property
    def peer(self) -> Role:
        """The other end."""
        return Role.ENGINE if self is Role.CLIENT else Role.CLIENT


class State(Enum):
    """How far a session has come."""

    NEW = auto()
    GREETED = auto()
    OPEN = auto()
    DRAINING = auto()
    DRAINED = auto()
    OVER = auto()


_NEXT: dict[tuple[State, Role, type[Message]], State] = {
    (State.NEW, Role.CLIENT, Hello): State.GREETED,
    (State.GREETED, Role.ENGINE, Welcome): State.OPEN,
    (State.OPEN, Role.CLIENT, Audio): State.OPEN,
    (State.OPEN, Role.ENGINE, Stems): State.OPEN,
    (State.OPEN, Role.CLIENT, Flush): State.DRAINING,
    (State.OPEN, Role.CLIENT, Reset): State.OPEN,
    (State.DRAINING, Role.ENGINE, Stems): State.DRAINING,
    (State.DRAINING, Role.CLIENT, Reset): State.OPEN,
    (State.DRAINED, Role.CLIENT, Reset): State.OPEN,
}
for _state in State:
    if _state is not State.OVER:
        _NEXT[_state, Role.CLIENT, Ping] = _state
        _NEXT[_state, Role.ENGINE, Pong] = _state
        _NEXT[_state, Role.ENGINE, Error] = State.OVER
        _NEXT[_state, Role.ENGINE, Bye] = State.OVER
        _NEXT[_state, Role.CLIENT, Bye] = State.OVER


class Session:
    """One end's view of a session: checks what comes in, numbers what goes out.

    Nothing is sent or received here. Whatever is to be sent is asked of this object, or shown to
    `sent`; whatever came in is shown to `received`.

    Args:
        role: which end this is.
    """

    def __init__(self, role: Role) -> None:
        self.role = role
        self.state = State.NEW
        self.hello: Hello | None = None
        self.welcome: Welcome | None = None
        self.epoch = 0
        self.begin = 0
        """Position of the stream's first sample."""
        self.audio_position = 0
        """Where the next AUDIO begins: what the client has sent, or the engine received."""
        self.stems_position = 0
        """Where the next STEMS begin."""
        self._audio_sequence = 0
        self._stems_sequence = 0

    @property
    def stream(self) -> int:
        """The session's number; 0 before WELCOME."""
        return 0 if self.welcome is None else self.welcome.stream

    @property
    def unanswered(self) -> int:
        """Samples of the mixture whose stems are not there yet."""
        return self.audio_position - self.stems_position

    def audio(self, samples: NDArray[np.float32]) -> Audio:
        """The next block of the mixture [C, T] as a message that counts as sent."""
        message = Audio(
            stream=self.stream,
            epoch=self.epoch,
            sequence=self._audio_sequence,
            position=self.audio_position,
            samples=samples,
        )
        self.sent(message)
        return message

    def stems(
        self, samples: NDArray[np.float32], *, end: bool = False, substituted: bool = False
    ) -> Stems:
        """The next stems [S, C, T] as a message that counts as sent."""
        message = Stems(
            stream=self.stream,
            epoch=self.epoch,
            sequence=self._stems_sequence,
            position=self.stems_position,
            samples=samples,
            end=end,
            substituted=substituted,
        )
        self.sent(message)
        return message

    def reset(self, position: int) -> Reset:
        """Begin another stream at a position, as a message that counts as sent."""
        message = Reset(stream=self.stream, epoch=self.epoch + 1, position=position)
        self.sent(message)
        return message

    def sent(self, message: Message) -> None:
        """Take note of a message that is about to be sent.

        Raises:
            LocalProtocolError: it is not ours to send now.
        """
        try:
            self._take(message, self.role)
        except RemoteProtocolError as error:
            raise LocalProtocolError(f"this would break the protocol: {error}") from error

    def received(self, message: Message) -> bool:
        """Take note of a message that came in.

        Returns:
            Whether it is of the present stream; what is left over from an older one is to be
            dropped.

        Raises:
            RemoteProtocolError: the peer may not say this now.
        """
        if self._is_stale(message):
            return False
        self._take(message, self.role.peer)
        return True

    def _is_stale(self, message: Message) -> bool:
        if not isinstance(message, Audio | Stems | Flush) or self.state in (
            State.NEW,
            State.GREETED,
        ):
            return False
        return message.stream == self.stream and message.epoch < self.epoch

    def _take(self, message: Message, sender: Role) -> None:
        key = (self.state, sender, type(message))
        if key not in _NEXT:
            raise RemoteProtocolError(
                f"{type(message).__name__.upper()} from the {sender.name.lower()} is out of turn: "
                f"the session is {self.state.name.lower()}",
                code=ErrorCode.OUT_OF_TURN,
            )
        self._check_stream(message)
        following = _NEXT[key]
        match message:
            case Hello():
                self.hello = message
            case Welcome():
                self._check_welcome(message)
                self.welcome = message
            case Audio():
                self._check_audio(message)
                self._audio_sequence += 1
                self.audio_position += message.samples.shape[-1]
            case Stems():
                self._check_stems(message)
                self._stems_sequence += 1
                self.stems_position += message.samples.shape[-1]
                following = State.DRAINED if message.end else following
            case Flush():
                self._check_epoch(message.epoch)
            case Reset():
                self._restart(message)
        self.state = following

    def _check_stream(self, message: Message) -> None:
        if isinstance(message, Hello | Welcome | Error | Ping | Pong):
            return
        if message.stream != self.stream:
            raise RemoteProtocolError(
                f"this session has the number {self.stream}, got a message for {message.stream}",
                code=ErrorCode.NO_SESSION,
            )

    def _check_epoch(self, epoch: int) -> None:
        if epoch != self.epoch:
            raise RemoteProtocolError(
                f"the stream's epoch is {self.epoch}, got a message of epoch {epoch}",
                code=ErrorCode.OUT_OF_TURN,
            )

    def _check_welcome(self, welcome: Welcome) -> None:
        hello = self.hello
        assert hello is not None
        got = (welcome.sample_rate, welcome.channels)
        if got != (hello.sample_rate, hello.channels):
            raise RemoteProtocolError(
                f"asked for {hello.sample_rate} Hz and {hello.channels} channels, was welcomed "
                f"with {got[0]} Hz and {got[1]}"
            )

    def _check_audio(self, audio: Audio) -> None:
        assert self.hello is not None
        assert self.welcome is not None
        self._check_epoch(audio.epoch)
        self._check_place(audio, self._audio_sequence, self.audio_position)
        channels, length = audio.samples.shape
        if channels != self.hello.channels or not 1 <= length <= self.hello.block:
            raise RemoteProtocolError(
                f"expected AUDIO of {self.hello.channels} channels and 1 to {self.hello.block} "
                f"samples, got {channels} and {length}"
            )
        if self.unanswered + length > self.welcome.window:
            raise RemoteProtocolError(
                f"{self.unanswered + length} samples are unanswered, at most "
                f"{self.welcome.window} allowed",
                code=ErrorCode.LIMIT,
            )

    def _check_stems(self, stems: Stems) -> None:
        assert self.hello is not None
        assert self.welcome is not None
        self._check_epoch(stems.epoch)
        self._check_place(stems, self._stems_sequence, self.stems_position)
        expected = (len(self.welcome.stems), self.hello.channels)
        if stems.samples.shape[:2] != expected:
            raise RemoteProtocolError(
                f"expected {expected[0]} stems of {expected[1]} channels, got "
                f"{stems.samples.shape[0]} of {stems.samples.shape[1]}"
            )
        if self.stems_position + stems.samples.shape[-1] > self.audio_position:
            raise RemoteProtocolError("got stems of audio that was never sent")
        if stems.end and self.state is not State.DRAINING:
            raise RemoteProtocolError(
                "the stream's end came without FLUSH", code=ErrorCode.OUT_OF_TURN
            )

    def _check_place(self, message: Audio | Stems, sequence: int, position: int) -> None:
        if (message.sequence, message.position) != (sequence, position):
            raise RemoteProtocolError(
                f"expected number {sequence} at position {position}, got number "
                f"{message.sequence} at {message.position}",
                code=ErrorCode.OUT_OF_TURN,
            )

    def _restart(self, reset: Reset) -> None:
        if reset.epoch <= self.epoch:
            raise RemoteProtocolError(
                f"RESET needs an epoch above {self.epoch}, got {reset.epoch}",
                code=ErrorCode.OUT_OF_TURN,
            )
        self.epoch = reset.epoch
        self.begin = self.audio_position = self.stems_position = reset.position
        self._audio_sequence = self._stems_sequence = 0
