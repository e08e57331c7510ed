"""Stems for scripts: a block goes in, as many samples of every stem come out, and one waits.

    with StemClient(sample_rate=44_100, channels=2) as client:
        stems = client.separate(song)              # [C, T] -> [S, C, T]

Every sample is separated by the network, however long it takes. What cannot be separated, because
the engine has gone, is an error and never the mixture in disguise. An error costs the stream; the
next one is served by whatever engine is there then, as is one that begins after a long pause.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bridge.client.connection import Connection
from bridge.protocol import LONGEST_BLOCK, Hello, Mode, Stems
from bridge.run_folder import users_endpoints
from streamsep.closing import Closing
from streamsep.errors import EngineError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from bridge.keys import ClientKeys
    from bridge.protocol import Welcome

    Samples = NDArray[np.float32]

__all__ = ["StemClient"]

_BLOCK = 16_384
_PATIENCE_S = 5.0
"""An engine from which nothing at all comes for so long, not even PONG, is taken for dead."""


class StemClient(Closing):
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
        ConfigError: there can be no such address, or others could serve at that of this user.
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
        self._address = address or users_endpoints().audio
        self._keys = keys
        self._connect_timeout_s = connect_timeout_s
        self._connection = Connection(self._address, keys)
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
        # A session that takes its place has to be the same.
        self._hello = replace(
            hello, preset=self._welcome.preset, consistency=self._welcome.consistency
        )
        self._block = hello.block
        self._channels = channels
        self._closed = False
        # Whether any of the stream has been handed out, and whether the rest cannot be.
        self._given = self._lost = False
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

    def process(self, block: Samples) -> Samples:
        """Take in a block [C, t], t from 0; wait for the stems [S, C, t], late by `latency`.

        Raises:
            InputError: the block has another shape.
            EngineError: the engine has gone, or had before; `reset` begins another stream.
        """
        self._check_shape(block)
        with self._within_stream():
            self._send(block)
            return self._take(block.shape[-1])

    def flush(self) -> Samples:
        """End the stream; return the last `latency` samples [S, C, latency]; be as new.

        Raises:
            EngineError: the engine has gone, or had before; `reset` begins another stream.
        """
        with self._within_stream():
            rest = self._drain()
        self._renew()
        return rest

    def reset(self) -> None:
        """Drop the stream; the next block is the start of another.

        Raises:
            EngineError: the engine has gone, and no other answers.
        """
        self._check_open()
        if self._lost or self._connection.has_ended():
            self._open_anew()
        else:
            self._connection.send_reset(0)
        self._start()

    def separate(self, mix: Samples) -> Samples:
        """Separate a whole signal [C, T] into stems [S, C, T], aligned with it.

        Raises:
            InputError: the signal has another shape.
            EngineError: the engine has gone.
        """
        self._check_shape(mix)
        if self._lost:
            self.reset()
        with self._within_stream():
            self._send(mix)
            stems = self._drain()[..., self.latency :]
        self._renew()
        return stems

    def close(self) -> None:
        """End the session; nothing else may be called any more."""
        self._closed = True
        self._connection.close()

    @contextmanager
    def _within_stream(self) -> Iterator[None]:
        """What fails in here costs the stream; one that has given nothing yet may begin again."""
        self._check_open()
        if self._lost and self._given:
            raise EngineError(
                f"the stream was lost with the session at {self._address}; call reset to begin "
                "another"
            )
        if self._lost or (self._is_new() and self._connection.has_ended()):
            self._open_anew()
            self._start()
        try:
            yield
        except BaseException:
            self._lost = True
            raise

    def _open_anew(self) -> None:
        """Have another session like the first."""
        self._connection.close()
        connection = Connection(self._address, self._keys)
        try:
            welcome = connection.open(self._hello, self._connect_timeout_s)
            self._check_same(welcome)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        self._welcome = welcome

    def _check_same(self, welcome: Welcome) -> None:
        if (welcome.stems, welcome.latency) != (self.stems, self.latency):
            raise EngineError(
                f"the engine at {self._address} has come back with the stems "
                f"{', '.join(welcome.stems)} and a latency of {welcome.latency}; this client has "
                f"{', '.join(self.stems)} and {self.latency}: make another"
            )

    def _renew(self) -> None:
        """Begin another stream when one has come to its end, for whoever may want it."""
        self._start()
        try:
            self._connection.send_reset(0)
        except EngineError:
            self._lost = True

    def _is_new(self) -> bool:
        """Whether nothing of the stream has been sent."""
        session = self._connection.session
        return session.audio_position == session.begin

    def _check_open(self) -> None:
        if self._closed:
            raise EngineError(f"this client of {self._address} is closed; make another")

    def _check_shape(self, samples: Samples) -> None:
        if samples.ndim != 2 or samples.shape[0] != self._channels:
            raise InputError(
                f"expected samples of the shape [{self._channels}, t], got {list(samples.shape)}"
            )

    def _start(self) -> None:
        # What a delay line holds before anything came in.
        silence = np.zeros((len(self.stems), self._channels, self.latency), np.float32)
        self._parts: list[Samples] = [silence]
        self._held = self.latency
        self._ended = False
        self._given = self._lost = False

    def _send(self, samples: Samples) -> None:
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
        self._given = self._given or length > 0
        return held[..., :length]

    def _drain(self) -> Samples:
        """End the stream and take the rest of it."""
        self._connection.send_flush()
        while not self._ended:
            self._receive()
        return self._take(self._held)

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
