"""A client that plays never waits, whatever becomes of the engine, and its latency stays."""

from __future__ import annotations

import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import fakes
import numpy as np
import pytest
import torch
import zmq
from engine_process import EngineProcess, running_engine
from engine_thread import fake_engine, free_ports, serving
from player import Player, always, ragged
from slow_line import SlowLine

from bridge.client import LiveState, LiveStemClient
from bridge.client.connection import Connection
from bridge.client.timeline import FADE, Timeline
from bridge.run_folder import tcp_endpoints
from streamsep import StreamConfig, StreamingSeparator
from streamsep.errors import EngineError, InputError, LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterator

RATE = 44_100
CONFIG = StreamConfig(context=4096, hop=2048, look_ahead=2048, crossfade=512)
BUDGET = ("--budget-ms", "400")  # the machine that runs the tests may have other things to do
OTHER = 2


@pytest.fixture(scope="module")
def engine() -> Iterator[EngineProcess]:
    with (
        tempfile.TemporaryDirectory() as folder,
        running_engine(Path(folder) / "run", *BUDGET) as running,
    ):
        yield running


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[EngineProcess]:
    """An engine that a test may harm."""
    with running_engine(tmp_path / "run", *BUDGET) as running:
        yield running


def separated(mix: np.ndarray, sample_rate: int = RATE) -> np.ndarray:
    stream = StreamingSeparator(
        fakes.SegmentShaped(stride=2048), CONFIG, sample_rate=sample_rate, channels=len(mix)
    )
    return torch.cat([stream.push(torch.from_numpy(mix)), stream.flush()], -1).numpy()


def assert_late_by(latency: int, player: Player, sample_rate: int = RATE) -> None:
    """The output is silence and then, bit for bit, the stems of what went in."""
    stems = player.stems
    assert not stems[..., :latency].any()
    whole = separated(player.mix, sample_rate)[..., : stems.shape[-1] - latency]
    assert np.array_equal(stems[..., latency:], whole)


@pytest.mark.parametrize("sample_rate", [44_100, 48_000, 96_000])
@pytest.mark.parametrize("block", [32, 500, 8192])
def test_stems_come_late_by_exactly_the_declared_latency(
    engine: EngineProcess, block: int, sample_rate: int
) -> None:
    with LiveStemClient(sample_rate=sample_rate, block=block, address=engine.address) as client:
        assert client.latency == sum(client.latency_terms.values())
        assert client.latency_terms["block"] == block
        player = Player(client, always(block), sample_rate)
        player.play(1.2)
        assert client.counters.missed == 0
        assert_late_by(client.latency, player, sample_rate)


def test_blocks_of_any_length_come_late_by_the_same(engine: EngineProcess) -> None:
    with LiveStemClient(sample_rate=RATE, block=1000, address=engine.address) as client:
        player = Player(client, ragged(1000), RATE)
        player.play(1.2)
        assert client.counters.missed == 0
        assert_late_by(client.latency, player)


def assert_delayed_mixture(player: Player, latency: int, begin: int, end: int) -> None:
    """From begin to end of the output there is the delayed mixture, in `other` alone."""
    assert begin < end
    stems = player.stems
    due = player.mix[:, begin - latency : end - latency]
    assert np.array_equal(stems[OTHER, :, begin:end], due)
    assert not np.delete(stems[..., begin:end], OTHER, axis=0).any()


def assert_stems_of_a_stream_begun_anew(player: Player, latency: int, after: int) -> None:
    """The output's last second is separated, from a stream that began somewhere after a moment."""
    stems, mix = player.stems, player.mix
    last = slice(stems.shape[-1] - RATE, stems.shape[-1])
    # A stream may begin at any block; what it gives afterwards depends on where, so look for it.
    for begin in range(after - after % 512, mix.shape[-1] - 2 * RATE, 512):
        fresh = separated(mix[:, begin:])
        expected = fresh[..., last.start - latency - begin : last.stop - latency - begin]
        if np.array_equal(stems[..., last], expected):
            return
    pytest.fail("the last second is not what any stream that began anew gives")


def test_a_killed_engine_is_replaced_by_the_delayed_mixture_until_another_comes(
    mortal: EngineProcess,
) -> None:
    with LiveStemClient(sample_rate=RATE, block=512, address=mortal.address) as client:
        latency = client.latency
        player = Player(client, always(512), RATE)
        player.play(1.0)
        mortal.kill()
        killed = player.position
        player.play(1.0)
        dry_until = player.position
        mortal.launch()
        player.play_while(lambda: client.counters.connections < 2)
        opened = player.position
        player.play(latency / RATE + 2.5)
        mortal.await_ready()
        assert client.state is LiveState.STREAMING
        assert client.latency == latency
        assert client.counters.gaps == 1
        assert player.longest_s < 0.3
    reference = separated(player.mix)
    done = killed - latency
    assert np.array_equal(player.stems[..., latency:killed], reference[..., :done])
    assert_delayed_mixture(player, latency, killed + latency, dry_until)
    assert_stems_of_a_stream_begun_anew(player, latency, opened - 2 * RATE)


def test_an_engine_that_stands_still_is_replaced_and_taken_up_again(mortal: EngineProcess) -> None:
    with LiveStemClient(sample_rate=RATE, block=512, address=mortal.address) as client:
        latency = client.latency
        player = Player(client, always(512), RATE)
        player.play(1.0)
        mortal.send(signal.SIGSTOP)
        stopped = player.position
        player.play(5.0)
        mortal.send(signal.SIGCONT)
        resumed = player.position
        player.play_while(lambda: client.state is not LiveState.STREAMING, at_most_s=2.0)
        player.play(latency / RATE + 2.5)
        assert client.state is LiveState.STREAMING
        assert player.longest_s < 0.3
    assert_delayed_mixture(player, latency, stopped + latency, resumed)
    assert_stems_of_a_stream_begun_anew(player, latency, resumed - RATE)


def test_an_engine_far_away_is_found_again_and_not_waited_for_at_the_end() -> None:
    endpoints = tcp_endpoints(f"tcp://127.0.0.1:{free_ports()}")
    port = int(endpoints.audio.rpartition(":")[2])
    with serving(fake_engine(), endpoints), SlowLine(port, delay_s=0.15) as line:
        client = LiveStemClient(sample_rate=RATE, block=512, address=line.address)
        player = Player(client, always(512), RATE)
        line.cut()
        player.play_while(lambda: client.counters.connections < 2, at_most_s=10.0)
        line.swallows = True
        line.cut()
        player.play_while(lambda: client.state is not LiveState.CONNECTING, at_most_s=10.0)
        closing_s = time.monotonic()
        client.close()
        assert time.monotonic() - closing_s < 0.5


@pytest.mark.parametrize(
    "fault", [LocalProtocolError("cannot be sent"), zmq.ZMQError(zmq.ENOTSOCK)], ids=["ours", "zmq"]
)
def test_whatever_ends_a_session_another_one_is_opened(
    engine: EngineProcess, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    send_audio = Connection.send_audio
    faults = [fault]

    def fail_once(connection: Connection, samples: np.ndarray) -> None:
        if faults:
            raise faults.pop()
        send_audio(connection, samples)

    monkeypatch.setattr(Connection, "send_audio", fail_once)
    with LiveStemClient(sample_rate=RATE, block=512, address=engine.address) as client:
        player = Player(client, always(512), RATE)
        player.play_while(lambda: client.counters.connections < 2, at_most_s=10.0)
        player.play(client.latency / RATE + 0.5)
        missed = client.counters.missed
        player.play(0.5)
        assert client.counters.missed == missed


def test_blocks_that_no_message_could_hold_are_refused_at_once(engine: EngineProcess) -> None:
    for block, channels, expected in (
        (65_537, 1, "the longest block is 1 to 65536 samples, got 65537"),
        (0, 2, "got 0"),
        (32_769, 32, "a block of 32769 samples of 32 channels .* at most 32768 samples"),
    ):
        with pytest.raises(InputError, match=expected):
            LiveStemClient(sample_rate=RATE, block=block, channels=channels, address=engine.address)


def test_who_no_longer_wants_an_engine_does_not_wait_for_one(tmp_path: Path) -> None:
    asked = []

    def wanted() -> bool:
        asked.append(time.monotonic())
        return len(asked) < 3

    began_s = time.monotonic()
    with pytest.raises(EngineError, match="no engine answers"):
        LiveStemClient(
            sample_rate=RATE,
            block=512,
            address=f"ipc://{tmp_path}/nobody.ipc",
            connect_timeout_s=30.0,
            wanted=wanted,
        )
    assert time.monotonic() - began_s < 5.0


def test_computations_that_take_too_long_are_faded_over_and_counted(tmp_path: Path) -> None:
    with (
        running_engine(tmp_path / "run", "--budget-ms", "250") as engine,
        LiveStemClient(sample_rate=RATE, block=512, address=engine.address) as client,
    ):
        player = Player(client, always(512), RATE)
        for _ in range(3):
            player.play(1.0)
            engine.stall(0.6)
            player.play(1.5)
        assert client.counters.gaps == 3
        assert client.counters.connections == 1


def test_the_fade_between_stems_and_mixture_takes_64_samples() -> None:
    timeline = Timeline(4, 1, keeper=OTHER, latency=1000, longest_block=100)
    ones = np.ones((1, 100), np.float32)
    out = np.empty((4, 1, 100), np.float32)
    vocals = []
    for k in range(40):
        timeline.exchange(ones, out)
        vocals.append(out[3, 0].copy())
        if k == 5:
            timeline.add_stems(0, np.ones((4, 1, 550), np.float32))
            timeline.add_stems(800, np.ones((4, 1, 500), np.float32))
    heard = np.concatenate(vocals)[1000:]
    rise = np.arange(1, FADE + 1, dtype=np.float32) / FADE
    assert FADE >= 64
    assert np.array_equal(heard[: 550 - FADE + 1], np.ones(550 - FADE + 1))
    assert np.allclose(heard[550 - FADE + 1 : 551], 1 - rise)
    assert not heard[551:800].any()
    assert np.allclose(heard[800 : 800 + FADE], rise)
    assert timeline.gaps == 2
