"""Stems for whoever must not wait: a block goes in, as many samples of every stem come out, now.

`process` is called where audio is played. It copies to and from memory that lies ready and wakes a
thread; that thread talks to the engine. If the engine is late, stalled, killed or not there at all,
`process` does not notice: what plays then is the mixture, as late as the stems would be, in the
stem `other`. The thread knocks at the engine's door until it opens, and the latency stays.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
import zmq

from bridge.client.connection import Connection
from bridge.client.timeline import Timeline
from bridge.protocol import LONGEST_BLOCK, Hello, Mode, Stems
from bridge.protocol.limits import LARGEST_BODY
from bridge.run_folder import users_endpoints
from streamsep.closing import Closing
from streamsep.errors import EngineError, InputError, StreamSepError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from bridge.keys import ClientKeys

    Samples = NDArray[np.float32]

__all__ = ["LiveCounters", "LiveState", "LiveStemClient"]

logger = logging.getLogger(__name__)

_SILENCE_S = 0.6
"""An engine that misses two heartbeats is stalled: to send more would only pile up."""
_DEAD_S = 2.0
"""Then the connection is given up and another one is made."""
_BACKOFF_S = (0.05, 0.25)
_LEAST_GREETING_S = 0.25
_GREETINGS = 4.0
"""A later engine has so many times as long as the first one took, which was as far away."""


class LiveState(StrEnum):
    """How it stands with the engine."""

    CONNECTING = "connecting"
    STREAMING = "streaming"
    STALLED = "stalled"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCounters:
    """What has happened since the start.

    Attributes:
        missed: samples that were played without their stems.
        gaps: how often stems turned into the mixture.
        late: samples of stems that came too late.
        substituted: messages of stems in which the engine itself was late.
        connections: sessions opened, the first one included.
    """

    missed: int
    gaps: int
    late: int
    substituted: int
    connections: int


class LiveStemClient(Closing):
    """A session that never makes its caller wait.

    Args:
        sample_rate: samples per second.
        channels: C.
        block: the longest block that `process` will get.
        preset: name of a latency preset; empty for the engine's.
        consistency: off, other or energy; empty for the engine's.
        budget: samples of time for computing and transport; 0 for what the engine proposes.
        address: of the engine's audio socket; None for the engine of this user.
        keys: for an engine that is reached over a network.
        name: for people who look at the engine's status.
        connect_timeout_s: seconds to wait for an engine now. It decides the latency, so there must
            be one at the start; afterwards it may come and go.
        wanted: asked now and then while an engine is waited for now; once it is not, the waiting
            ends as if none had answered.

    Raises:
        InputError: blocks cannot be as long as that, or sessions not as wide.
        ConfigError: there can be no such address, or others could serve at that of this user.
        EngineError: no engine answers, or it refuses.
    """

    def __init__(
        self,
        *,
        sample_rate: int,
        channels: int = 2,
        block: int,
        preset: str = "",
        consistency: str = "",
        budget: int = 0,
        address: str | None = None,
        keys: ClientKeys | None = None,
        name: str = "",
        connect_timeout_s: float = 5.0,
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        _check_shape(channels, block)
        self._address = address or users_endpoints().audio
        self._keys = keys
        hello = Hello(
            client=name or f"live {os.getpid()}",
            mode=Mode.LIVE,
            sample_rate=sample_rate,
            channels=channels,
            block=block,
            preset=preset,
            consistency=consistency,
            budget=budget,
        )
        self._connection: Connection | None = Connection(self._address, keys)
        try:
            welcome = self._connection.open(hello, connect_timeout_s, wanted=wanted)
        except BaseException:
            self._connection.close()
            raise
        self._greeting_s = max(_LEAST_GREETING_S, _GREETINGS * self._connection.greeting_s)
        # Whatever comes after a reconnection has to fit into the latency that was declared.
        self._hello = Hello(
            client=hello.client,
            mode=Mode.LIVE,
            sample_rate=sample_rate,
            channels=channels,
            block=block,
            preset=welcome.preset,
            consistency=welcome.consistency,
            budget=welcome.budget,
        )
        self.welcome = welcome
        self.latency_terms = {
            "block": block,
            "network": welcome.network_latency,
            "resampling": welcome.resampling_latency,
            "budget": welcome.budget,
        }
        keeper = welcome.stems.index("other") if "other" in welcome.stems else -1
        self._timeline = Timeline(
            len(welcome.stems), channels, keeper=keeper, latency=self.latency, longest_block=block
        )
        self.state = LiveState.STREAMING
        self._substituted = 0
        self._connections = 1
        self._sent = 0
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="stems", daemon=True)
        self._thread.start()

    @property
    def latency(self) -> int:
        """Samples between an input sample and the same sample in the output; it never changes."""
        return sum(self.latency_terms.values())

    @property
    def stems(self) -> tuple[str, ...]:
        """Names of the stems, in the order of the output."""
        return self.welcome.stems

    @property
    def counters(self) -> LiveCounters:
        """What has happened since the start."""
        return LiveCounters(
            missed=self._timeline.missed,
            gaps=self._timeline.gaps,
            late=self._timeline.late,
            substituted=self._substituted,
            connections=self._connections,
        )

    def process(self, block: Samples, out: Samples | None = None) -> Samples:
        """Take in a block; give back as many samples of every stem, late by `latency`.

        Real-time: no lock; the only system call wakes the other thread and does not wait for it.

        Args:
            block: float32 [C, t], t from 0 to the longest block.
            out: float32 [S, C, t] to be filled, so that nothing large has to be allocated.

        Returns:
            `out`, or a new array.
        """
        if out is None:
            out = np.empty((len(self.stems), *block.shape), np.float32)
        if block.shape[-1]:
            self._timeline.exchange(block, out)
            self._wake()
        return out

    def close(self) -> None:
        """End the session and the thread; `process` must not be called any more."""
        if self._stopped:
            return
        self._stopped = True
        self._wake()
        self._thread.join()
        self._wake_reader.close()
        self._wake_writer.close()

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # full: the thread will wake up anyway
            self._wake_writer.send(b"\0")

    def _run(self) -> None:
        pause_s = _BACKOFF_S[0]
        while not self._stopped:
            try:
                if self._connection is None:
                    self._reconnect()
                    pause_s = _BACKOFF_S[0]
                self._stream()
            except (StreamSepError, zmq.ZMQError) as error:
                # Whatever it was, this thread stays: nobody else could open another session.
                logger.info("%s", error)
                self._disconnect()
                if not self._stopped:
                    self.state = LiveState.CONNECTING
                    self._sleep(pause_s)
                    pause_s = min(2 * pause_s, _BACKOFF_S[1])
        self._disconnect()
        self.state = LiveState.CLOSED

    def _disconnect(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(StreamSepError, zmq.ZMQError):
                self._connection.close()
            self._connection = None

    def _reconnect(self) -> None:
        connection = Connection(self._address, self._keys)
        try:
            welcome = connection.open(self._hello, self._greeting_s, wanted=self._is_wanted)
            self._check_same(welcome.stems, welcome.latency)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        self._connections += 1
        self._restart(connection)

    def _is_wanted(self) -> bool:
        return not self._stopped

    def _check_same(self, stems: tuple[str, ...], latency: int) -> None:
        if stems != self.stems or latency > self.welcome.latency:
            raise EngineError(
                f"the engine at {self._address} has come back with the stems {', '.join(stems)} "
                f"and a latency of {latency}; this session has {', '.join(self.stems)} and "
                f"{self.welcome.latency} and cannot change"
            )

    def _restart(self, connection: Connection) -> None:
        """Begin a stream at the newest sample; what is older would come back too late."""
        self._sent = self._timeline.now
        connection.send_reset(self._sent)
        self.state = LiveState.STREAMING

    def _stream(self) -> None:
        """Carry audio and stems until the engine is gone or this client is closed."""
        connection = self._connection
        assert connection is not None
        poller = zmq.Poller()
        poller.register(connection.socket, zmq.POLLIN)
        poller.register(self._wake_reader, zmq.POLLIN)
        while not self._stopped:
            poller.poll(self._hello_interval_ms(connection))
            self._drain_wake()
            self._receive_all(connection)
            connection.keep_alive()
            silent_s = time.monotonic() - connection.heard_s
            if silent_s > _DEAD_S:
                raise EngineError(f"nothing was heard from the engine for {_DEAD_S:.0f} s")
            if silent_s > _SILENCE_S:
                self.state = LiveState.STALLED
            elif self.state is LiveState.STALLED:
                self._restart(connection)
            else:
                self._send_audio(connection)

    @staticmethod
    def _hello_interval_ms(connection: Connection) -> int:
        return connection.welcome.heartbeat_ms // 2

    def _receive_all(self, connection: Connection) -> None:
        while connection.socket.poll(0):
            message = connection.receive(0)
            if isinstance(message, Stems):
                self._substituted += message.substituted
                self._timeline.add_stems(message.position, message.samples)

    def _send_audio(self, connection: Connection) -> None:
        now = self._timeline.now
        unanswered = connection.session.unanswered + now - self._sent
        if now - self._sent > self._timeline.latency or unanswered > connection.welcome.window:
            # This thread itself was held up for so long that its stems could not be in time, or the
            # engine is there and computes nothing, and may not be sent any more.
            self._restart(connection)
        while self._sent < now:
            end = min(now, self._sent + self._hello.block)
            connection.send_audio(self._timeline.mixture(self._sent, end))
            self._sent = end

    def _sleep(self, seconds: float) -> None:
        """Wait, but not beyond the end."""
        end_s = time.monotonic() + seconds
        while not self._stopped and (left_s := end_s - time.monotonic()) > 0:
            time.sleep(min(left_s, 0.05))

    def _drain_wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while len(self._wake_reader.recv(4096)) == 4096:
                pass


def _check_shape(channels: int, block: int) -> None:
    """Make sure that the longest block is one that can be sent.

    Raises:
        InputError: it is not.
    """
    if not 1 <= block <= LONGEST_BLOCK:
        raise InputError(f"the longest block is 1 to {LONGEST_BLOCK} samples, got {block}")
    most = LARGEST_BODY // (4 * max(1, channels))
    if block > most:
        raise InputError(
            f"a block of {block} samples of {channels} channels is too large for a message, "
            f"expected at most {most} samples"
        )
