"""The plugin and whoever answers: ZeroMQ itself, polite or wrong, or no ZeroMQ at all."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
import zmq
from fake_engine import EndsOnce, FakeEngine, Poisoned, welcome_to
from vst3_host import OFFLINE, PARAMETERS, REALTIME, Vst3Host

from bridge.protocol import (
    Audio,
    Bye,
    Error,
    ErrorCode,
    Hello,
    Message,
    Mode,
    Ping,
    Pong,
    Stems,
    encode,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    MakeHost = Callable[[str], Vst3Host]

PATIENCE_S = 30.0


def music(length: int = 30_000) -> np.ndarray:
    return np.random.default_rng(6).uniform(-0.2, 0.2, (2, length)).astype(np.float32)


def await_state(host: Vst3Host, name: str, expected: str) -> dict[str, str]:
    """Wait until a line of the state contains something."""
    end_s = time.monotonic() + PATIENCE_S
    while expected not in (state := host.state)[name]:
        assert time.monotonic() < end_s, f"{name} is {state[name]!r}, expected {expected!r}"
        time.sleep(0.02)
    return state


def wait_for(condition: Callable[[], bool], what: str) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s, f"still not after {PATIENCE_S:.0f} s: {what}"
        time.sleep(0.02)


def await_heard(engine: FakeEngine, kind: type[Message]) -> None:
    """Wait until the engine has heard a message; it reads a moment after it was sent."""

    def heard() -> bool:
        return any(isinstance(message, kind) for message in engine.heard)

    wait_for(heard, f"the engine hears a {kind.__name__}")


def heard_up_to(engine: FakeEngine) -> int:
    """The position up to which the engine has heard audio."""
    ends = [
        message.position + message.samples.shape[-1]
        for message in engine.heard
        if isinstance(message, Audio)
    ]
    return max(ends, default=0)


def stage(host: Vst3Host, mode: int = OFFLINE) -> None:
    """Start with a preset of little latency."""
    host.choose_preset("stage")
    host.start(block=512, mode=mode)


@pytest.mark.parametrize("transport", ["ipc", "tcp"])
def test_a_session_with_real_zeromq(make_host: MakeHost, tmp_path: Path, transport: str) -> None:
    address = f"ipc://{tmp_path}/a.ipc" if transport == "ipc" else "tcp://127.0.0.1:*"
    mix = music()
    with FakeEngine(address) as engine:
        with make_host(engine.endpoint) as host:
            stage(host)
            latency = host.latency
            host.give(mix)
            host.render(mix.shape[-1] + latency, [512])
            out = host.take()[..., latency:]
            assert engine.hello is not None
            assert engine.hello.mode is Mode.OFFLINE
            assert (engine.hello.sample_rate, engine.hello.channels) == (44_100, 2)
            assert engine.hello.preset == "stage"
            assert host.state["engine"] == "fake 1"
            assert host.state["missed"] == "0"
        await_heard(engine, Bye)
    for stem in range(4):
        assert np.array_equal(out[1 + stem], mix * np.float32(stem + 1))
    audio = [message for message in engine.heard if isinstance(message, Audio)]
    sent = np.concatenate([np.array(each.samples) for each in audio], -1)
    assert np.array_equal(sent[:, : mix.shape[-1]], mix)
    assert [each.sequence for each in audio] == list(range(len(audio)))


def test_stems_in_another_order_are_found_by_their_names(
    make_host: MakeHost, tmp_path: Path
) -> None:
    class Reordered(FakeEngine):
        def greet(self, hello: Hello) -> list[Message | Sequence[bytes]]:
            return [welcome_to(hello, stems=("vocals", "other", "drums", "bass"))]

    mix = music()
    with Reordered(f"ipc://{tmp_path}/a.ipc") as engine, make_host(engine.endpoint) as host:
        stage(host)
        latency = host.latency
        host.give(mix)
        host.render(mix.shape[-1] + latency, [512])
        out = host.take()[..., latency:]
    for place, gain in ((1, 3), (2, 4), (3, 2), (4, 1)):
        assert np.array_equal(out[place], mix * np.float32(gain))


def test_a_live_session_asks_for_the_budget_that_the_latency_leaves(
    make_host: MakeHost, tmp_path: Path
) -> None:
    with FakeEngine(f"ipc://{tmp_path}/a.ipc") as engine, make_host(engine.endpoint) as host:
        stage(host, REALTIME)
        host.render(4096, [512], mode=REALTIME)
        await_state(host, "status", "streaming")
        assert engine.hello is not None
        assert engine.hello.mode is Mode.LIVE
        assert engine.hello.budget == 4096
        await_heard(engine, Ping)


def test_a_network_that_needs_a_little_more_gets_it_from_the_budget(
    make_host: MakeHost, tmp_path: Path
) -> None:
    class Rounded(FakeEngine):
        ends = True

        def greet(self, hello: Hello) -> list[Message | Sequence[bytes]]:
            return [welcome_to(hello, network_latency=4096 + 2048 + 10)]

        def stems(self, audio: Audio) -> list[Message | Sequence[bytes]]:
            if self.ends:
                self.ends = False
                return [Bye(stream=audio.stream, reason="once")]
            return super().stems(audio)

    with Rounded(f"ipc://{tmp_path}/a.ipc") as engine, make_host(engine.endpoint) as host:
        stage(host, REALTIME)
        for _ in range(100):
            host.render(4096, [512], "paced", mode=REALTIME)
            if host.state["connections"] == "2":
                break
        await_state(host, "status", "streaming")
        assert host.state["problem"] == ""
    greetings = [each for each in engine.heard if isinstance(each, Hello | Bye)]
    budgets = [each.budget for each in greetings if isinstance(each, Hello)]
    assert budgets == [4096, 4086, 4086]
    # The session that would have been too late has ended before another is asked for.
    assert isinstance(greetings[1], Bye)


def test_a_network_that_needs_more_than_the_budget_can_spare_is_named(
    make_host: MakeHost, tmp_path: Path
) -> None:
    class Coarse(FakeEngine):
        def greet(self, hello: Hello) -> list[Message | Sequence[bytes]]:
            return [welcome_to(hello, network_latency=4096 + 2048 + 2049)]

    with Coarse(f"ipc://{tmp_path}/a.ipc") as engine, make_host(engine.endpoint) as host:
        stage(host, REALTIME)
        state = await_state(
            host, "problem", "preset 'stage', rounded up to the stride of its network"
        )
        assert "choose another latency" in state["problem"]


def test_an_engine_that_is_busy_before_its_welcome_is_waited_for(
    make_host: MakeHost, tmp_path: Path
) -> None:
    class TryingOut(FakeEngine):
        def greet(self, hello: Hello) -> Iterator[Message]:
            for _ in range(15):
                yield Pong(busy=True)
                time.sleep(0.2)
            yield welcome_to(hello)

    mix = music()
    with TryingOut(f"ipc://{tmp_path}/a.ipc") as engine, make_host(engine.endpoint) as host:
        stage(host)
        latency = host.latency
        host.give(mix)
        host.render(mix.shape[-1] + latency, [512])
        out = host.take()[..., latency:]
    assert sum(isinstance(message, Hello) for message in engine.heard) == 1
    assert np.array_equal(out[1], mix)


def test_stems_that_are_there_stay_when_another_session_takes_over(
    make_host: MakeHost, tmp_path: Path
) -> None:
    mix = music(60_000)
    with EndsOnce(f"ipc://{tmp_path}/a.ipc") as engine, make_host(engine.endpoint) as host:
        stage(host)
        latency = host.latency
        host.give(mix)
        host.render(30_000, [512])
        # What is less than a packet is sent when more comes.
        wait_for(lambda: heard_up_to(engine) > 30_000 - 1024, "the engine hears the first half")
        answered = heard_up_to(engine)
        engine.ends = True
        await_state(host, "connections", "2")
        host.render(30_000 + latency, [512])
        out = host.take()[1][:, latency:]
        state = host.state
    assert (state["missed"], state["lost"]) == ("0", "1")
    assert np.array_equal(out[:, :answered], mix[:, :answered])
    assert np.array_equal(out[:, answered:], 2 * mix[:, answered:])


def test_a_host_that_pauses_a_render_finds_the_session_as_it_was(
    make_host: MakeHost, tmp_path: Path
) -> None:
    mix = music(60_000)
    with FakeEngine(f"ipc://{tmp_path}/a.ipc") as engine, make_host(engine.endpoint) as host:
        stage(host)
        latency = host.latency
        host.give(mix)
        host.render(30_000, [512])
        time.sleep(5.5)  # longer than an engine may keep a render waiting
        host.render(30_000 + latency, [512])
        out = host.take()[1][:, latency:]
        state = host.state
    assert np.array_equal(out, mix)
    assert (state["connections"], state["failures"], state["missed"]) == ("1", "0", "0")


def test_another_rate_of_the_same_latency_is_another_session(
    make_host: MakeHost, tmp_path: Path
) -> None:
    with FakeEngine(f"ipc://{tmp_path}/a.ipc") as engine, make_host(engine.endpoint) as host:
        host.choose_preset("instant")
        latencies = []
        for sessions, rate in enumerate((16_000, 16_001), start=1):
            host.start(sample_rate=rate, block=512, mode=REALTIME)
            latencies.append(host.latency)
            await_state(host, "connections", str(sessions))
            assert engine.hello is not None
            assert engine.hello.sample_rate == rate
    assert latencies[0] == latencies[1]


def test_the_last_render_mode_of_a_block_counts_for_all_of_it(
    make_host: MakeHost, tmp_path: Path
) -> None:
    with FakeEngine(f"ipc://{tmp_path}/a.ipc") as engine, make_host(engine.endpoint) as host:
        stage(host, REALTIME)
        await_state(host, "status", "streaming")
        host.tell("queue", PARAMETERS["render"], 0, 0.5)
        host.tell("queue", PARAMETERS["render"], 300, 1.0)
        host.tell("process", REALTIME, 512)
        await_state(host, "mode", "offline")
        greetings = [each for each in engine.heard if isinstance(each, Hello)]
        assert [each.mode for each in greetings] == [Mode.LIVE, Mode.OFFLINE]


def wrong_welcome(**changes: object) -> type[FakeEngine]:
    class Wrong(FakeEngine):
        def greet(self, hello: Hello) -> list[Message | Sequence[bytes]]:
            return [welcome_to(hello, **changes)]

    return Wrong


def wrong_greeting(answer: Message | Sequence[bytes]) -> type[FakeEngine]:
    class Wrong(FakeEngine):
        def greet(self, hello: Hello) -> list[Message | Sequence[bytes]]:
            return [answer]

    return Wrong


def wrong_stems(**changes: object) -> type[FakeEngine]:
    class Wrong(FakeEngine):
        def stems(self, audio: Audio) -> list[Message | Sequence[bytes]]:
            values: dict[str, object] = {
                "stream": audio.stream,
                "epoch": audio.epoch,
                "sequence": 0,
                "position": audio.position,
                "samples": np.zeros((4, 2, audio.samples.shape[-1]), np.float32),
                **changes,
            }
            return [Stems(**values)]  # type: ignore[arg-type]

    return Wrong


def with_version(message: Message, version: int) -> list[bytes]:
    header, body = map(bytes, encode(message))
    return [header[:4] + bytes([version]) + header[5:], body]


PONG = Error(code=ErrorCode.REFUSED, text="no room: full")


@pytest.mark.parametrize(
    ("engine_type", "problem"),
    [
        pytest.param(wrong_greeting(PONG), "the engine says: no room: full", id="refused"),
        pytest.param(wrong_greeting(with_version(PONG, 9)), "version 9", id="another version"),
        pytest.param(wrong_greeting([b"x"]), "2 frames, got 1", id="one frame"),
        pytest.param(wrong_greeting([b"x", b"y"]), "header of 40 bytes", id="no header"),
        pytest.param(wrong_greeting([b"a"] * 9), "too many frames", id="many frames"),
        pytest.param(wrong_greeting([bytes(40), bytes(5_000_000)]), "at most", id="too large"),
        pytest.param(wrong_greeting(Bye(stream=77, reason="late")), "ended the session", id="bye"),
        pytest.param(wrong_welcome(sample_rate=48_000), "48000 Hz", id="another rate"),
        pytest.param(wrong_welcome(channels=1), "and 1", id="other channels"),
        pytest.param(wrong_welcome(stems=("vocals", "rest")), "needs drums", id="other stems"),
        pytest.param(wrong_welcome(network_latency=99_999), "has declared", id="too late"),
        pytest.param(wrong_stems(position=5), "out of place", id="wrong position"),
        pytest.param(wrong_stems(sequence=3), "out of place", id="wrong number"),
        pytest.param(wrong_stems(stream=1), "another session", id="wrong stream"),
        pytest.param(wrong_stems(epoch=9), "another session", id="wrong epoch"),
        pytest.param(
            wrong_stems(samples=np.zeros((3, 2, 8), np.float32)), "another shape", id="three stems"
        ),
        pytest.param(
            wrong_stems(samples=np.zeros((4, 2, 60_000), np.float32)), "out of place", id="unasked"
        ),
    ],
)
def test_an_engine_that_is_wrong_is_named_and_the_mixture_plays(
    make_host: MakeHost, tmp_path: Path, engine_type: type[FakeEngine], problem: str
) -> None:
    mix = music()
    with engine_type(f"ipc://{tmp_path}/a.ipc") as engine, make_host(engine.endpoint) as host:
        stage(host)
        latency = host.latency
        host.give(mix)
        host.render(mix.shape[-1] + latency, [512])
        state = await_state(host, "problem", problem)
        assert int(state["missed"]) > 0
        out = host.take()
        # From the first block on that was given up.
        assert np.array_equal(out[0][:, -4096:], mix[:, -4096:])


def test_values_that_are_not_finite_never_reach_the_host(
    make_host: MakeHost, tmp_path: Path
) -> None:
    with Poisoned(f"ipc://{tmp_path}/a.ipc") as engine, make_host(engine.endpoint) as host:
        stage(host)
        host.give(music())
        host.render(60_000, [512])
        assert np.isfinite(host.take()).all()
        assert int(host.state["non_finite"]) > 0


class RawServer:
    """A socket that says some bytes to whoever comes, and ends or waits."""

    def __init__(self, answer: bytes, *, ends: bool) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"tcp://127.0.0.1:{self._socket.getsockname()[1]}"
        self._answer = answer
        self._ends = ends
        self._kept: list[socket.socket] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            peer.sendall(self._answer)
            if self._ends:
                peer.close()
            else:
                self._kept.append(peer)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for peer in self._kept:
            peer.close()
        self._thread.join()


def greeting(version: int = 3, mechanism: bytes = b"NULL") -> bytes:
    return (
        b"\xff" + bytes(8) + b"\x7f" + bytes([version, 0]) + mechanism.ljust(20, b"\0") + bytes(32)
    )


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", "no ZeroMQ socket", id="http"),
        pytest.param(greeting(version=1), "speaks no ZMTP 3", id="old zmtp"),
        pytest.param(greeting(mechanism=b"CURVE"), "wants keys", id="keys"),
        pytest.param(greeting() + b"\x04\x07\x05ERROR\x00", "refuses", id="zmtp error"),
        pytest.param(greeting() + b"\x00\x01x", "before the introduction", id="early message"),
        pytest.param(greeting() + b"\xff\x01x", "unknown flags", id="unknown flags"),
        pytest.param(greeting() + b"\x06" + b"\xff" * 8, "at most 4096", id="endless command"),
        pytest.param(
            greeting() + b"\x04\x1b\x05READY\x0bSocket-Type\0\0\0\x05REPXX", "is a REPXX", id="type"
        ),
        pytest.param(greeting()[:20], "has gone", id="cut off"),
        pytest.param(b"", "has gone", id="nothing"),
    ],
)
def test_what_is_no_engine_is_named(make_host: MakeHost, answer: bytes, problem: str) -> None:
    server = RawServer(answer, ends=True)
    try:
        with make_host(server.endpoint) as host:
            stage(host, REALTIME)
            await_state(host, "problem", problem)
    finally:
        server.close()


def test_a_socket_of_another_kind_is_named(make_host: MakeHost, tmp_path: Path) -> None:
    address = f"ipc://{tmp_path}/a.ipc"
    with zmq.Context.instance().socket(zmq.PUB) as publisher:
        publisher.bind(address)
        with make_host(address) as host:
            stage(host, REALTIME)
            await_state(host, "problem", "the socket there is a PUB")


def test_who_accepts_and_says_nothing_holds_nobody_up_for_long(make_host: MakeHost) -> None:
    server = RawServer(b"", ends=False)
    try:
        with make_host(server.endpoint) as host:
            stage(host)
            host.give(music())
            host.render(60_000, [512])
            state = await_state(host, "problem", "does not answer")
            assert state["failures"] == "1"
    finally:
        server.close()


@pytest.mark.parametrize(
    ("endpoint", "problem"),
    [
        ("tcp://192.0.2.1:5570", "got 192.0.2.1"),
        ("tcp://127.0.0.1:99999", "a port is 1 to 65535"),
        ("tcp://example.org:1", "got example.org"),
        ("tcp://127.0.0.1", "tcp://HOST:PORT"),
        ("ipc://" + "x" * 200, "1 to 107 bytes"),
        ("udp://127.0.0.1:1", "expected ipc://PATH"),
        ("ipc:///nowhere/at/all.ipc", "no engine is there"),
        ("tcp://[::1]:9", "no engine is there"),
    ],
)
def test_an_endpoint_that_cannot_be_used_is_named(
    make_host: MakeHost, endpoint: str, problem: str
) -> None:
    with make_host(endpoint) as host:
        stage(host, REALTIME)
        await_state(host, "problem", problem)
        assert host.state["endpoint"] == endpoint
