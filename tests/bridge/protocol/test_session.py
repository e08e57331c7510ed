"""Who may say what when, seen from both ends of one session."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from golden_messages import GOLDEN
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from bridge.protocol import (
    Audio,
    Bye,
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
    State,
    Stems,
    Welcome,
)
from streamsep.errors import LocalProtocolError, RemoteProtocolError

HELLO = Hello(client="test", mode=Mode.LIVE, sample_rate=48_000, channels=2, block=64)
_welcome = GOLDEN["welcome"]
assert isinstance(_welcome, Welcome)
WELCOME = replace(_welcome, window=1_000)


def block(length: int = 8) -> np.ndarray:
    return np.zeros((2, length), np.float32)


def stems(length: int = 8) -> np.ndarray:
    return np.zeros((4, 2, length), np.float32)


def open_pair() -> tuple[Session, Session]:
    client, engine = Session(Role.CLIENT), Session(Role.ENGINE)
    for message, sender, receiver in ((HELLO, client, engine), (WELCOME, engine, client)):
        sender.sent(message)
        assert receiver.received(message)
    return client, engine


def test_a_session_from_greeting_to_end() -> None:
    client, engine = open_pair()
    assert engine.received(client.audio(block()))
    assert client.received(engine.stems(stems(5)))
    flush = Flush(stream=client.stream, epoch=client.epoch)
    client.sent(flush)
    assert engine.received(flush)
    assert client.received(engine.stems(stems(3), end=True))
    assert client.state is engine.state is State.DRAINED
    assert client.unanswered == 0


def test_a_reset_begins_at_its_position_and_old_stems_are_dropped() -> None:
    client, engine = open_pair()
    engine.received(client.audio(block()))
    crossing = engine.stems(stems(4))
    reset = client.reset(1_000_000)
    assert engine.received(reset)
    assert not client.received(crossing)
    assert engine.received(client.audio(block()))
    fresh = engine.stems(stems(8))
    assert (fresh.position, fresh.sequence, fresh.epoch) == (1_000_000, 0, 1)
    assert client.received(fresh)


def test_audio_that_the_engine_gets_after_a_reset_is_dropped_when_it_is_old() -> None:
    client, engine = open_pair()
    old = client.audio(block())
    engine.received(client.reset(0))
    assert not engine.received(old)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        pytest.param(HELLO, ErrorCode.OUT_OF_TURN, id="a second hello"),
        pytest.param(
            Audio(stream=9, epoch=0, sequence=0, position=0, samples=block()),
            ErrorCode.NO_SESSION,
            id="another session's number",
        ),
        pytest.param(
            Audio(stream=WELCOME.stream, epoch=0, sequence=1, position=0, samples=block()),
            ErrorCode.OUT_OF_TURN,
            id="a number left out",
        ),
        pytest.param(
            Audio(stream=WELCOME.stream, epoch=0, sequence=0, position=8, samples=block()),
            ErrorCode.OUT_OF_TURN,
            id="samples left out",
        ),
        pytest.param(
            Audio(stream=WELCOME.stream, epoch=1, sequence=0, position=0, samples=block()),
            ErrorCode.OUT_OF_TURN,
            id="an epoch without reset",
        ),
        pytest.param(
            Audio(stream=WELCOME.stream, epoch=0, sequence=0, position=0, samples=block(65)),
            ErrorCode.MALFORMED,
            id="a block above what was announced",
        ),
        pytest.param(
            Audio(stream=WELCOME.stream, epoch=0, sequence=0, position=0, samples=block()[:1]),
            ErrorCode.MALFORMED,
            id="another number of channels",
        ),
        pytest.param(
            Reset(stream=WELCOME.stream, epoch=0, position=0),
            ErrorCode.OUT_OF_TURN,
            id="a reset to the same epoch",
        ),
        pytest.param(Pong(), ErrorCode.OUT_OF_TURN, id="what only an engine says"),
    ],
)
def test_the_engine_refuses(message: Message, code: ErrorCode) -> None:
    _, engine = open_pair()
    with pytest.raises(RemoteProtocolError) as refusal:
        engine.received(message)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(
            Stems(stream=WELCOME.stream, epoch=0, sequence=0, position=0, samples=stems(9)),
            id="stems of audio that was not sent",
        ),
        pytest.param(
            Stems(stream=WELCOME.stream, epoch=0, sequence=0, position=0, samples=stems()[:3]),
            id="a stem is missing",
        ),
        pytest.param(
            Stems(
                stream=WELCOME.stream, epoch=0, sequence=0, position=0, samples=stems(0), end=True
            ),
            id="an end without flush",
        ),
        pytest.param(WELCOME, id="a second welcome"),
    ],
)
def test_the_client_refuses(message: Message) -> None:
    client, _ = open_pair()
    client.audio(block())
    with pytest.raises(RemoteProtocolError):
        client.received(message)


def test_more_than_the_window_is_a_limit() -> None:
    client, engine = open_pair()
    for _ in range(WELCOME.window // 64):
        engine.received(client.audio(block(64)))
    with pytest.raises(LocalProtocolError, match="unanswered"):
        client.audio(block(64))


def test_a_ping_needs_no_session() -> None:
    client, engine = Session(Role.CLIENT), Session(Role.ENGINE)
    client.sent(Ping(sequence=3))
    assert engine.received(Ping(sequence=3))
    engine.sent(Pong(sequence=3))
    assert client.received(Pong(sequence=3))


def test_after_bye_nothing_is_said() -> None:
    client, _ = open_pair()
    client.sent(Bye(stream=client.stream))
    for message in (Ping(), Reset(stream=client.stream, epoch=1, position=0)):
        with pytest.raises(LocalProtocolError, match="over"):
            client.sent(message)


class Conversation(RuleBasedStateMachine):
    """Two ends with messages on the way in both directions, delivered in order but late."""

    def __init__(self) -> None:
        super().__init__()
        self.client, self.engine = open_pair()
        self.up: list[Message] = []
        self.down: list[Message] = []
        self.returned = 0

    @precondition(lambda self: self.client.state is State.OPEN)
    @rule(length=st.integers(1, 64))
    def speak(self, length: int) -> None:
        if self.client.unanswered + length <= WELCOME.window:
            self.up.append(self.client.audio(block(length)))

    @precondition(lambda self: self.client.state is State.OPEN)
    @rule()
    def flush(self) -> None:
        message = Flush(stream=self.client.stream, epoch=self.client.epoch)
        self.client.sent(message)
        self.up.append(message)

    @rule(position=st.integers(0, 2**40))
    def restart(self, position: int) -> None:
        self.up.append(self.client.reset(position))
        self.returned = 0

    @rule()
    def deliver_up(self) -> None:
        if self.up:
            self.engine.received(self.up.pop(0))

    @rule(share=st.floats(0, 1))
    def answer(self, share: float) -> None:
        if self.engine.state is State.OPEN:
            length = int(self.engine.unanswered * share)
            self.down.append(self.engine.stems(stems(length)))
        elif self.engine.state is State.DRAINING:
            self.down.append(self.engine.stems(stems(self.engine.unanswered), end=True))

    @rule()
    def deliver_down(self) -> None:
        if not self.down:
            return
        message = self.down.pop(0)
        if self.client.received(message):
            assert isinstance(message, Stems)
            assert message.position == self.client.begin + self.returned
            self.returned += message.samples.shape[-1]
            if message.end:
                assert self.returned == self.client.audio_position - self.client.begin


TestConversation = Conversation.TestCase
TestConversation.settings = settings(max_examples=60, stateful_step_count=40)
