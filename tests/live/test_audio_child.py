"""How the process that plays comes to its session, and when it does without."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
import zmq

from bridge.live.audio_child import AudioChild
from bridge.live.task import AudioTask
from bridge.protocol import Hello, Pong, Welcome, decode, encode
from streamsep.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bridge.protocol import Message

RATE = 44_100
STEMS = ("drums", "bass", "other", "vocals")


def stream() -> Any:
    """What a session has to know of a device."""
    return SimpleNamespace(sample_rate=RATE, counters=SimpleNamespace(longest=256))


def busy(hello: Hello) -> list[Message]:
    """The answer of an engine that measures a preset."""
    del hello
    return [Pong(busy=True)]


def welcome(hello: Hello) -> list[Message]:
    return [
        Welcome(
            stream=7,
            engine="fake",
            model="none",
            stems=STEMS,
            sample_rate=hello.sample_rate,
            channels=hello.channels,
            preset="live",
            consistency="off",
            network_latency=0,
            resampling_latency=0,
            budget=4096,
            window=100_000,
            heartbeat_ms=100,
            timeout_ms=1_500,
        )
    ]


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[Hello], list[Message]]], str]]:
    """Answer every HELLO in a thread; the address."""
    stopped = threading.Event()
    threads = []

    def run(router: zmq.Socket[bytes], greet: Callable[[Hello], list[Message]]) -> None:
        with router:
            while not stopped.is_set():
                if not router.poll(20):
                    continue
                name, *frames = router.recv_multipart()
                message = decode(frames)
                for answer in greet(message) if isinstance(message, Hello) else []:
                    router.send_multipart([name, *encode(answer)])

    def start(greet: Callable[[Hello], list[Message]]) -> str:
        router: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.ROUTER)
        router.setsockopt(zmq.LINGER, 0)
        router.bind(f"ipc://{folder}/audio.ipc")
        threads.append(threading.Thread(target=run, args=(router, greet)))
        threads[-1].start()
        return f"ipc://{folder}/audio.ipc"

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield start
        stopped.set()
        for thread in threads:
            thread.join()


def test_a_loop_that_is_told_to_stop_does_not_wait_for_an_engine_that_measures(
    serve: Callable[[Callable[[Hello], list[Message]]], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave(code: int) -> NoReturn:
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", leave)
    child = AudioChild(AudioTask(input="in", output="out", address=serve(busy)))
    told = threading.Timer(0.3, child._stop.set)
    told.start()
    began_s = time.monotonic()
    with pytest.raises(SystemExit) as left:
        child._open_session(stream())
    told.join()
    assert left.value.code == 0
    assert time.monotonic() - began_s < 3.0


def test_a_loop_comes_back_with_the_stems_that_its_controls_have_or_says_why_not(
    serve: Callable[[Callable[[Hello], list[Message]]], str],
) -> None:
    address = serve(welcome)
    task = AudioTask(input="in", output="out", address=address, stems=STEMS)
    with AudioChild(task)._open_session(stream()) as client:
        assert client.stems == STEMS
    for others in (STEMS[:2], STEMS[::-1]):
        task = AudioTask(input="in", output="out", address=address, stems=others)
        with pytest.raises(EngineError, match="this loop has the controls of") as caught:
            AudioChild(task)._open_session(stream())
        assert "has come back with the stems drums, bass, other, vocals" in str(caught.value)
