"""Engines that say what a test wants, over the real ZeroMQ."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Self

import numpy as np
import zmq

from bridge.protocol import (
    Audio,
    Bye,
    Hello,
    Message,
    Ping,
    Pong,
    Reset,
    Stems,
    Welcome,
    decode,
    encode,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType

__all__ = ["EndsOnce", "FakeEngine", "Poisoned", "welcome_to"]

Frames = "Sequence[bytes | memoryview]"


def welcome_to(hello: Hello, **changes: object) -> Welcome:
    """What a good engine answers; its network has no latency."""
    values: dict[str, object] = {
        "stream": 77,
        "engine": "fake 1",
        "model": "none",
        "stems": ("drums", "bass", "other", "vocals"),
        "sample_rate": hello.sample_rate,
        "channels": hello.channels,
        "preset": hello.preset,
        "consistency": "off",
        "network_latency": 0,
        "resampling_latency": 0,
        "budget": hello.budget,
        "window": 1_000_000,
        "heartbeat_ms": 100,
        "timeout_ms": 60_000,
        **changes,
    }
    return Welcome(**values)  # type: ignore[arg-type]


class FakeEngine:
    """Answers the newest session at once: stems are the mixture times 1, 2, 3 and 4.

    Tests override what it says.

    Args:
        address: where to bind; tcp with port ``*`` finds one.
        kind: of the socket.
    """

    def __init__(self, address: str, kind: int = zmq.ROUTER) -> None:
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(kind)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.bind(address)
        self.endpoint = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self.heard: list[Message] = []
        self.hello: Hello | None = None
        self._peer = b""
        self._sequence = 0
        self._epoch = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopped.set()
        self._thread.join()
        self._socket.close()

    def greet(self, hello: Hello) -> Iterable[Message | Sequence[bytes]]:
        """What to say to HELLO, one after the other."""
        return [welcome_to(hello)]

    def stems(self, audio: Audio) -> list[Message | Sequence[bytes]]:
        """What to say to AUDIO: its stems, in two pieces."""
        mix = np.array(audio.samples)
        stems = np.stack([mix * gain for gain in (1, 2, 3, 4)]).astype(np.float32)
        half = mix.shape[-1] // 2
        pieces = [(0, stems[..., :half]), (half, stems[..., half:])]
        answers: list[Message | Sequence[bytes]] = []
        for start, piece in pieces:
            answers.append(
                Stems(
                    stream=audio.stream,
                    epoch=audio.epoch,
                    sequence=self._next(audio.epoch),
                    position=audio.position + start,
                    samples=piece,
                )
            )
        return answers

    def _next(self, epoch: int) -> int:
        if epoch != self._epoch:
            self._epoch, self._sequence = epoch, 0
        self._sequence += 1
        return self._sequence - 1

    def _run(self) -> None:
        while not self._stopped.is_set():
            if not self._socket.poll(20):
                continue
            name, *frames = self._socket.recv_multipart()
            message = decode(frames)
            self.heard.append(message)
            if isinstance(message, Hello):
                self._peer = name
            if name != self._peer:
                continue  # the rest of a session that another one has replaced
            for answer in self._answers(message):
                parts = encode(answer) if isinstance(answer, Message) else answer
                self._socket.send_multipart([name, *parts])

    def _answers(self, message: Message) -> Iterable[Message | Sequence[bytes]]:
        match message:
            case Hello():
                self.hello, self._epoch, self._sequence = message, 0, 0
                return self.greet(message)
            case Audio():
                return self.stems(message)
            case Ping():
                return [Pong(stream=message.stream, sequence=message.sequence)]
            case Reset() | Bye() | _:
                return []


class EndsOnce(FakeEngine):
    """Ends a session when a test wants it; from then on the stems are twice as loud."""

    ends = False
    ended = False

    def stems(self, audio: Audio) -> list[Message | Sequence[bytes]]:
        return super().stems(replace(audio, samples=(1 + self.ended) * audio.samples))

    def _answers(self, message: Message) -> Iterable[Message | Sequence[bytes]]:
        if self.ends and not self.ended and isinstance(message, Ping):
            self.ended = True
            return [Bye(stream=message.stream, reason="once")]
        return super()._answers(message)


class Poisoned(FakeEngine):
    """Many of its values are no numbers."""

    def stems(self, audio: Audio) -> list[Message | Sequence[bytes]]:
        message, other = super().stems(audio)
        assert isinstance(message, Stems)
        message.samples[..., ::7] = np.nan
        message.samples[..., 3::7] = -np.inf
        return [message, other]
