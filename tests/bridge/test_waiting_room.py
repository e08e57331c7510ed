"""A session for which the engine has to get ready waits, and nobody else does."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import zmq
from engine_process import running_engine

from bridge.client import LiveStemClient, StemClient, ask_engine
from bridge.protocol import (
    Bye,
    Error,
    ErrorCode,
    Hello,
    Message,
    Mode,
    Ping,
    Pong,
    Welcome,
    decode,
    encode,
)
from bridge.server.offers import OfferRefusedError
from bridge.server.waiting_room import WaitingRoom
from streamsep.errors import ConfigError, EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine_process import EngineProcess

HELLO = Hello(client="x", mode=Mode.LIVE, sample_rate=44_100, channels=2, block=512)
STALL_S = 1.0
"""So long the first segment of a preset takes."""
OTHERS = 12
UNKNOWN = iter(range(OTHERS))
"""Numbers of presets that nobody has asked for; enough for tests that have another go."""


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    with running_engine(
        tmp_path_factory.mktemp("engine") / "run", "--others", str(OTHERS)
    ) as engine:
        yield engine


@pytest.fixture
def engine(started: EngineProcess) -> EngineProcess:
    """Whose next computation takes long."""
    started.stall(STALL_S)
    return started


@pytest.fixture
def preset() -> str:
    """One of which nothing is known yet."""
    return f"other {next(UNKNOWN)}"


@contextmanager
def a_socket(engine: EngineProcess) -> Iterator[zmq.Socket[bytes]]:
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.connect(engine.address)
    yield socket
    socket.close()


def status_of(engine: EngineProcess) -> dict[str, Any]:
    return ask_engine(
        {"request": "status"}, address=engine.address.replace("audio", "control"), timeout_s=20
    )


def receive(socket: zmq.Socket[bytes]) -> Message:
    assert socket.poll(20_000), "nothing came"
    return decode(socket.recv_multipart())


def test_others_are_answered_meanwhile(engine: EngineProcess, preset: str) -> None:
    with a_socket(engine) as waiting, a_socket(engine) as other:
        waiting.send_multipart(encode(replace(HELLO, preset=preset)))
        busy = receive(waiting)
        assert isinstance(busy, Pong)
        assert busy.busy
        other.send_multipart(encode(Ping(stream=0, sequence=7)))
        assert receive(other) == Pong(stream=0, sequence=7)
        assert not waiting.poll(0)
        with StemClient(sample_rate=44_100, address=engine.address, preset="test") as client:
            assert client.stems
        answer = receive(waiting)
        while isinstance(answer, Pong):
            answer = receive(waiting)
        assert isinstance(answer, Welcome)
        assert answer.preset == preset


def test_a_rate_that_nobody_has_had_is_measured_without_others_waiting(
    started: EngineProcess,
) -> None:
    with a_socket(started) as waiting, a_socket(started) as other:
        waiting.send_multipart(encode(replace(HELLO, sample_rate=47_999, mode=Mode.OFFLINE)))
        busy = receive(waiting)
        assert isinstance(busy, Pong)
        assert busy.busy
        other.send_multipart(encode(Ping(stream=0, sequence=7)))
        assert receive(other) == Pong(stream=0, sequence=7)
        answer = receive(waiting)
        while isinstance(answer, Pong):
            answer = receive(waiting)
        assert isinstance(answer, Welcome)
        assert answer.resampling_latency > 0


def test_a_client_waits_as_long_as_it_is_told_that_it_is_worth_it(
    engine: EngineProcess, preset: str
) -> None:
    with LiveStemClient(
        sample_rate=44_100,
        channels=2,
        block=512,
        preset=preset,
        address=engine.address,
        connect_timeout_s=STALL_S / 4,
    ) as client:
        assert client.welcome.preset == preset


def test_who_goes_on_talking_loses_its_place(engine: EngineProcess, preset: str) -> None:
    with a_socket(engine) as waiting:
        waiting.send_multipart(encode(replace(HELLO, preset=preset)))
        assert isinstance(receive(waiting), Pong)
        waiting.send_multipart(encode(replace(HELLO, preset=preset)))
        answer = receive(waiting)
        while isinstance(answer, Pong):
            answer = receive(waiting)
        assert isinstance(answer, Error)
        assert answer.code == ErrorCode.OUT_OF_TURN
        assert not waiting.poll(int(2000 * STALL_S))


def test_who_leaves_is_not_let_in(engine: EngineProcess, preset: str) -> None:
    opened = status_of(engine)["opened"]
    with a_socket(engine) as waiting:
        waiting.send_multipart(encode(replace(HELLO, preset=preset)))
        assert isinstance(receive(waiting), Pong)
        waiting.send_multipart(encode(Bye(stream=0)))
        with LiveStemClient(
            sample_rate=44_100, channels=2, block=512, preset=preset, address=engine.address
        ):
            assert status_of(engine)["opened"] == opened + 1


class Preparing:
    """Gets ready when it is told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.may_end = threading.Event()
        self.woke = threading.Event()
        self.prepared: list[str] = []
        self._error = error

    def get_ready(self, hello: Hello) -> None:
        assert self.may_end.wait(20)
        self.prepared.append(hello.client)
        if self._error is not None:
            raise self._error

    def room(self) -> WaitingRoom[str]:
        return WaitingRoom(self.get_ready, self.woke.set)


def test_who_has_waited_is_let_go_when_the_engine_is_ready() -> None:
    preparing = Preparing()
    room = preparing.room()
    room.add("peer", HELLO, 0.0)
    assert "peer" in room
    assert room.take_out(1.0) == []
    preparing.may_end.set()
    assert preparing.woke.wait(20)
    (waited,) = room.take_out(1.0)
    assert (waited.peer, waited.hello, waited.outcome()) == ("peer", HELLO, None)
    assert len(room) == 0
    room.close()


@pytest.mark.parametrize(
    ("error", "kind"), [(ConfigError("no"), ConfigError), (ZeroDivisionError("oops"), EngineError)]
)
def test_who_waited_in_vain_is_told_why(error: Exception, kind: type[Exception]) -> None:
    preparing = Preparing(error)
    room = preparing.room()
    room.add("peer", HELLO, 0.0)
    preparing.may_end.set()
    assert preparing.woke.wait(20)
    (waited,) = room.take_out(0.0)
    outcome = waited.outcome()
    assert isinstance(outcome, kind)
    assert str(error) in str(outcome)
    room.close()


def test_nobody_waits_for_ever() -> None:
    preparing = Preparing()
    room = preparing.room()
    room.add("being served", HELLO, 0.0)
    room.add("next", HELLO, 5.0)
    assert room.take_out(9.9) == []
    (waited,) = room.take_out(10.1)
    assert waited.peer == "being served"
    (another,) = room.take_out(15.1)
    for each in (waited, another):
        outcome = each.outcome()
        assert isinstance(outcome, OfferRefusedError)
        assert outcome.for_lack_of_room
    preparing.may_end.set()
    room.close()


def test_those_who_wait_are_told_from_time_to_time() -> None:
    preparing = Preparing()
    room = preparing.room()
    room.add("peer", HELLO, 0.0)
    assert room.take_untold(0.0, 0.3) == ["peer"]
    assert room.take_untold(0.2, 0.3) == []
    assert room.take_untold(0.4, 0.3) == ["peer"]
    preparing.may_end.set()
    room.close()


def test_who_has_gone_is_not_prepared_for() -> None:
    preparing = Preparing()
    room = preparing.room()
    room.add("first", replace(HELLO, client="first"), 0.0)
    room.add("second", replace(HELLO, client="second"), 0.0)
    room.add("third", replace(HELLO, client="third"), 0.0)
    room.drop("second")
    preparing.may_end.set()
    while len(preparing.prepared) < 2:
        assert preparing.woke.wait(20)
    assert preparing.prepared == ["first", "third"]
    room.close()
