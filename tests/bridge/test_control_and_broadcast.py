"""Asking an engine, changing its sessions, and listening to them."""

from __future__ import annotations

import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import zmq
from engine_process import EngineProcess, running_engine
from player import Player, always

from bridge.client import LiveStemClient, StemClient, StemListener, ask_engine
from streamsep.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

RATE = 44_100


@pytest.fixture(scope="module")
def engine() -> Iterator[EngineProcess]:
    with (
        tempfile.TemporaryDirectory() as folder,
        running_engine(Path(folder) / "run", "--budget-ms", "400", "--separator", "Gains") as made,
    ):
        yield made


def ask(engine: EngineProcess, **request: object) -> dict[str, Any]:
    return ask_engine(request, address=f"ipc://{engine.folder}/control.ipc")


def test_the_status_tells_of_the_engine_and_its_sessions(engine: EngineProcess) -> None:
    with StemClient(sample_rate=48_000, channels=1, address=engine.address, name="me") as client:
        client.process(np.zeros((1, 5000), np.float32))
        state = ask(engine, request="status")
        (session,) = state["sessions"]
        assert (state["model"], state["device"], state["pid"]) == ("fake", "cpu", engine.pid)
        assert (session["client"], session["mode"], session["sample_rate"]) == (
            "me",
            "offline",
            48_000,
        )
        assert session["position"] == 5000
        assert session["latency"] == client.latency
    assert state["compute_ms"]["p50"] <= state["compute_ms"]["p99"]


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({"request": "dance"}, "request"),
        ({"request": "set", "stream": "0000000f"}, "no session has the number"),
        ({"request": "engine", "preset": "fast"}, "unknown preset 'fast', expected test"),
        ({"request": "set", "stream": "1", "gains_db": {"drums": 99}}, "gains_db.drums"),
    ],
)
def test_requests_that_cannot_be_met_say_why(
    engine: EngineProcess, request_: dict[str, object], reason: str
) -> None:
    with pytest.raises(EngineError, match=reason):
        ask(engine, **request_)


def test_requests_that_are_no_json_are_answered(engine: EngineProcess) -> None:
    with zmq.Context.instance().socket(zmq.REQ) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(f"ipc://{engine.folder}/control.ipc")
        socket.send(b"\xff{")
        assert socket.poll(10_000)
        assert b'"ok": false' in socket.recv()


def test_gains_change_without_a_step(engine: EngineProcess) -> None:
    # Time enough for a machine that stands still for a moment: a late stem is the mixture, a step.
    with LiveStemClient(
        sample_rate=RATE, block=441, budget=RATE // 2, address=engine.address
    ) as client:
        player = Player(client, always(441), RATE)
        player.play(0.5)
        (session,) = ask(engine, request="status")["sessions"]
        ask(engine, request="set", stream=session["stream"], gains_db={"drums": -1000, "bass": 6})
        player.play(client.latency / RATE + 1.0)
        drums, bass, other, _ = player.stems
        mix = player.mix[:, : -client.latency]
        assert client.counters.missed == 0
    assert not drums[:, -4410:].any()
    np.testing.assert_allclose(bass[:, -4410:], other[:, -4410:] * 10**0.3, rtol=1e-5)
    gain = drums[0, client.latency :] / mix[0]
    assert np.abs(np.diff(gain)).max() <= 1.01 / (0.02 * RATE)
    np.testing.assert_allclose(other[:, client.latency :], mix, atol=1e-6)


def test_bypass_passes_the_mixture_on(engine: EngineProcess) -> None:
    mix = np.random.default_rng(0).uniform(-1, 1, (2, 30_000)).astype(np.float32)
    with StemClient(sample_rate=RATE, address=engine.address) as client:
        (session,) = ask(engine, request="status")["sessions"]
        ask(engine, request="set", stream=session["stream"], bypass=True)
        stems = client.separate(mix)
    np.testing.assert_allclose(stems[2], mix, atol=1e-6)
    assert not stems[[0, 1, 3]].any()


def test_a_listener_hears_one_stem_and_a_slow_one_harms_nobody(engine: EngineProcess) -> None:
    address = f"ipc://{engine.folder}/stems.ipc"
    mix = np.random.default_rng(0).uniform(-1, 1, (2, 600_000)).astype(np.float32)
    with StemClient(sample_rate=RATE, address=engine.address) as client:
        (session,) = ask(engine, request="status")["sessions"]
        stream = int(session["stream"], 16)
        with (
            StemListener(address, stream, "vocals") as quick,
            StemListener(address, stream, "drums"),  # never reads
        ):
            time.sleep(0.5)  # a subscription takes a moment to arrive
            heard: list[np.ndarray] = []

            def listen() -> None:
                while not quick.ended:
                    samples = quick.receive(10.0)
                    assert samples is not None
                    heard.append(samples)

            listener = threading.Thread(target=listen)
            listener.start()
            stems = client.separate(mix)
            listener.join(30)
    total = sum(part.shape[-1] for part in heard)
    assert total + quick.lost == mix.shape[-1]
    if not quick.lost:
        assert np.array_equal(np.concatenate(heard, -1), stems[3])


def test_a_listener_that_missed_something_knows_how_much(engine: EngineProcess) -> None:
    mix = np.random.default_rng(0).uniform(-1, 1, (2, 4_000_000)).astype(np.float32)
    with StemClient(sample_rate=RATE, address=engine.address) as client:
        (session,) = ask(engine, request="status")["sessions"]
        with StemListener(
            f"ipc://{engine.folder}/stems.ipc", int(session["stream"], 16), "vocals"
        ) as slow:
            time.sleep(0.5)
            client.separate(mix)
            client.separate(mix[:, :10_000])
            heard = 0
            while (samples := slow.receive(0.5)) is not None:
                heard += samples.shape[-1]
    assert heard < mix.shape[-1]
    assert slow.lost + heard <= mix.shape[-1] + 10_000
