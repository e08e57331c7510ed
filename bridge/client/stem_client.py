"""Stems for scripts: a block goes in, as many samples of every stem come out, and one waits.

    with StemClient(sample_rate=44_100, channels=2) as client:
        stems = client.separate(song)              # [C, T] -> [S, C, T]

Every sample is separated by the network, however long it takes. What cannot be separated, because
the engine has gone, is an error and never the mixture in disguise.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Self

import numpy as np

from bridge.client.connection import Connection
from bridge.protocol import LONGEST_BLOCK, Hello, Mode, Stems
from bridge.run_folder import default_run_folder, ipc_endpoints
from streamsep.errors import EngineError, InputError

if TYPE_CHECKING:
    from types import TracebackType

    from numpy.typing import NDArray

    from bridge.keys import ClientKeys

    Samples = NDArray[np.float32]

__all__ = ["StemClient"]

_BLOCK = 16_384
_PATIENCE_S = 5.0
"""An engine from which nothing at all comes for so long, not even PONG, is taken for dead."""


class StemClient:
    """A session in which nothing is ever late.

    Args:
        sample_rate: samples per second of what will be processed.
        channels: C of what will be processed.
        preset: name of a latency preset; empty for the engine's.
        consistency: off, other or energy; empty for the engine's.
        address: of the engine's audio socket; None for the engine of this user.
        keys: for an engine that is reached over a network.
        name: for people who look at the engine's status.
        connect_timeout_s: seconds to wait for an engine.

    Raises:
        EngineError: no engine answers, or it refuses.
    """

    def __init__(
        self,
        *,
        sample_rate: int,
        channels: int = 2,
        preset: str = "",
        consistency: str = "",
        address: str | None = None,
        keys: ClientKeys | None = None,
        name: str = "",
        connect_timeout_s: float = 5.0,
    ) -> None:
        self._connection = Connection(address or ipc_endpoints(default_run_folder()).audio, keys)
        hello = Hello(
            client=name or f"script {os.getpid()}",
            mode=Mode.OFFLINE,
            sample_rate=sample_rate,
            channels=channels,
            block=min(_BLOCK, LONGEST_BLOCK),
            preset=preset,
            consistency=consistency,
        )
        try:
            self._welcome = self._connection.open(hello, connect_timeout_s)
        except BaseException:
            self._connection.close()
            raise
        self._block = hello.block
        self._channels = channels
        self._start()

    @property
    def latency(self) -> int:
        """Samples between an input sample of `process` and the output that depends on it."""
        return self._welcome.latency

    @property
    def stems(self) -> tuple[str, ...]:
        """Names of the stems, in the order of the output."""
        return self._welcome.stems

    @property
    def model(self) -> str:
        """Name of the engine's network."""
        return self._welcome.model

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def process(self, block: Samples) -> Samples:
        """Take in a block [C, t], t from 0; wait for the stems [S, C, t], late by `latency`.

        Raises:
            InputError: the block has another shape.
            EngineError: the engine has gone.
        """
        self._send(block)
        return self._take(block.shape[-1])

    def flush(self) -> Samples:
        """End the stream; return the last `latency` samples [S, C, latency]; be as new.

        Raises:
            EngineError: the engine has gone.
        """
        self._connection.send_flush()
        while not self._ended:
            self._receive()
        rest = self._take(self._held)
        self.reset()
        return rest

    def reset(self) -> None:
        """Drop the stream; the next block is the start of another."""
        self._connection.send_reset(0)
        self._start()

    def separate(self, mix: Samples) -> Samples:
        """Separate a whole signal [C, T] into stems [S, C, T], aligned with it.

        Raises:
            InputError: the signal has another shape.
            EngineError: the engine has gone.
        """
        self._send(mix)
        self._connection.send_flush()
        while not self._ended:
            self._receive()
        stems = self._take(self._held)[..., self.latency :]
        self.reset()
        return stems

    def close(self) -> None:
        """End the session."""
        self._connection.close()

    def _start(self) -> None:
        # What a delay line holds before anything came in.
        silence = np.zeros((len(self.stems), self._channels, self.latency), np.float32)
        self._parts: list[Samples] = [silence]
        self._held = self.latency
        self._ended = False

    def _send(self, samples: Samples) -> None:
        if samples.ndim != 2 or samples.shape[0] != self._channels:
            raise InputError(
                f"expected samples of the shape [{self._channels}, t], got {list(samples.shape)}"
            )
        for start in range(0, samples.shape[-1], self._block):
            part = np.asarray(samples[:, start : start + self._block], np.float32)
            # The socket reads the samples later, when the caller may have changed them.
            part = part.copy()
            while self._connection.session.unanswered + part.shape[-1] > self._welcome.window:
                self._receive()
            self._connection.send_audio(part)

    def _take(self, length: int) -> Samples:
        """Wait until so many samples are there, and take them."""
        while self._held < length:
            self._receive()
        held = np.concatenate(self._parts, axis=-1)
        self._parts = [held[..., length:]]
        self._held -= length
        return held[..., :length]

    def _receive(self) -> None:
        """Wait for one message."""
        self._connection.keep_alive()
        message = self._connection.receive(self._welcome.heartbeat_ms / 1000)
        if isinstance(message, Stems):
            if message.substituted:
                raise EngineError("the engine sent the mixture in place of stems")
            self._parts.append(message.samples)
            self._held += message.samples.shape[-1]
            self._ended = message.end
        elif message is None and time.monotonic() - self._connection.heard_s > _PATIENCE_S:
            raise EngineError(
                f"the engine at {self._connection.address} has not answered for "
                f"{_PATIENCE_S:.0f} s; what was separated so far is not the whole"
            )
