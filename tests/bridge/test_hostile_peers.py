"""Whatever comes through the socket, the engine lives, forgets it, and harms nobody else."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import fakes
import numpy as np
import psutil
import pytest
import torch
import zmq
from engine_process import EngineProcess, running_engine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.client import StemClient, ask_engine
from bridge.protocol import Error, ErrorCode, Hello, Mode, Ping, Pong, Welcome, decode, encode
from bridge.protocol.header import Header
from streamsep import StreamConfig, StreamingSeparator

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FLOOD = int(os.environ.get("STREAMSEP_FUZZ_FRAMES", "20000"))


@pytest.fixture(scope="module")
def engine() -> Iterator[EngineProcess]:
    with tempfile.TemporaryDirectory() as folder, running_engine(Path(folder) / "run") as running:
        yield running


@pytest.fixture
def dealer(engine: EngineProcess) -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context.instance().socket(zmq.DEALER) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(engine.address)
        yield socket


def ask(socket: zmq.Socket[bytes], frames: Sequence[bytes | memoryview]) -> object:
    """Send something and return what the engine says to it."""
    socket.send_multipart(frames)
    assert socket.poll(10_000), "the engine says nothing"
    return decode(socket.recv_multipart())


def hello(**changes: object) -> Hello:
    values: dict[str, object] = {
        "client": "fuzz",
        "mode": Mode.OFFLINE,
        "sample_rate": 44_100,
        "channels": 2,
        "block": 1024,
        **changes,
    }
    return Hello(**values)  # type: ignore[arg-type]


def sessions(engine: EngineProcess) -> list[dict[str, object]]:
    address = f"ipc://{engine.folder}/control.ipc"
    found: list[dict[str, object]] = ask_engine({"request": "status"}, address=address)["sessions"]
    return found


def alive(socket: zmq.Socket[bytes]) -> bool:
    return isinstance(ask(socket, encode(Ping(sequence=7))), Pong)


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        pytest.param([b""], ErrorCode.MALFORMED, id="one empty frame"),
        pytest.param([b"x" * 40, b""], ErrorCode.MALFORMED, id="no header"),
        pytest.param([b"a", b"b", b"c", b"d"], ErrorCode.MALFORMED, id="too many frames"),
        pytest.param(
            [Header(1).pack()[:4] + b"\x09" + Header(1).pack()[5:], b""],
            ErrorCode.VERSION,
            id="another version",
        ),
        pytest.param(
            [Header(3, samples=1, stems=1, channels=1).pack(), bytes(4)],
            ErrorCode.NO_SESSION,
            id="audio without a session",
        ),
    ],
)
def test_a_message_that_is_none_is_answered_with_an_error(
    dealer: zmq.Socket[bytes], frames: list[bytes], code: ErrorCode
) -> None:
    answer = ask(dealer, frames)
    assert isinstance(answer, Error)
    assert answer.code is code
    assert alive(dealer)


def test_breaking_the_protocol_costs_the_session(
    engine: EngineProcess, dealer: zmq.Socket[bytes]
) -> None:
    welcome = ask(dealer, encode(hello()))
    assert isinstance(welcome, Welcome)
    assert len(sessions(engine)) == 1
    answer = ask(dealer, encode(hello()))
    assert isinstance(answer, Error)
    assert answer.code is ErrorCode.OUT_OF_TURN
    assert not sessions(engine)


def test_a_message_that_is_too_large_costs_the_connection_alone(
    engine: EngineProcess, dealer: zmq.Socket[bytes]
) -> None:
    with zmq.Context.instance().socket(zmq.DEALER) as other:
        other.setsockopt(zmq.LINGER, 0)
        other.connect(engine.address)
        other.send_multipart([Header(3).pack(), bytes(8 * 1024 * 1024)])
        assert not other.poll(300)
    assert alive(dealer)


@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(frames=st.lists(st.binary(max_size=200), min_size=1, max_size=4))
def test_random_frames_are_answered_with_an_error(
    dealer: zmq.Socket[bytes], frames: list[bytes]
) -> None:
    assert isinstance(ask(dealer, frames), Error)


def test_a_flood_of_damaged_messages_harms_nobody(engine: EngineProcess) -> None:
    mix = np.random.default_rng(2).uniform(-0.5, 0.5, (2, 150_000)).astype(np.float32)
    stream = StreamingSeparator(
        fakes.SegmentShaped(stride=2048),
        StreamConfig(context=4096, hop=2048, look_ahead=2048, crossfade=512),
    )
    expected = torch.cat([stream.push(torch.from_numpy(mix)), stream.flush()], -1).numpy()
    process = psutil.Process(engine.pid)
    memory = []
    # Every thread may take an arena of the allocator, up to a limit; what grows beyond is a leak.
    for _ in range(2):
        attack = threading.Thread(target=flood, args=(engine.address, FLOOD // 2))
        attack.start()
        while attack.is_alive():
            with StemClient(sample_rate=44_100, address=engine.address) as client:
                assert np.array_equal(client.separate(mix), expected)
        attack.join()
        memory.append(process.memory_info().rss)
    assert not sessions(engine)
    assert memory[1] - memory[0] < 64 * 2**20


def flood(address: str, count: int) -> None:
    """Messages that were good once, with bytes changed, cut, repeated, in any order."""
    random = np.random.default_rng(5)
    session = Header(3, stream=1, samples=64, stems=1, channels=2).pack()
    good = [
        list(map(bytes, encode(hello()))),
        list(map(bytes, encode(hello(mode=Mode.LIVE, block=64)))),
        [session, bytes(512)],
        list(map(bytes, encode(Ping(sequence=1)))),
        [Header(5, stream=1).pack(), b""],
        [Header(6, stream=1, epoch=3, position=2**61).pack(), b""],
    ]
    with zmq.Context.instance().socket(zmq.DEALER) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.SNDTIMEO, 20_000)
        socket.connect(address)
        for number in range(count):
            frames = [bytearray(frame) for frame in good[random.integers(len(good))]]
            if random.random() < 0.7:
                frame = frames[random.integers(len(frames))]
                for _ in range(random.integers(1, 4)):
                    if frame:
                        frame[random.integers(len(frame))] = random.integers(256)
                if random.random() < 0.2:
                    del frame[random.integers(len(frame) + 1) :]
            socket.send_multipart([bytes(frame) for frame in frames])
            if number % 50 == 0:
                while socket.poll(0):
                    socket.recv_multipart()
        # Everything before it has been read when this is answered.
        socket.send_multipart(encode(Ping(sequence=99)))
        while socket.poll(20_000):
            frames_back = socket.recv_multipart()
            message = decode(frames_back)
            if isinstance(message, Pong) and message.sequence == 99:
                break
