"""Sessions of a network that can follow a stream: nearly the same stems for less work."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import fakes
import numpy as np
import pytest
import torch

from bridge.protocol import Hello, Mode
from bridge.server import Engine
from streamsep import StreamConfig, StreamingSeparator
from streamsep.config import LatencyPreset
from streamsep.engine.separator import hops_at_once
from streamsep.models.hybrid_demucs import HybridDemucs, HybridDemucsConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.server.stream_worker import Finished, StreamWorker

PRESET = LatencyPreset(
    name="test", description="", use="", context=28 * 2048, hop=2048, look_ahead=2048, crossfade=512
)
HELLO = Hello(client="test", mode=Mode.OFFLINE, sample_rate=44_100, channels=2, block=8192)


@pytest.fixture(scope="module")
def network() -> HybridDemucs:
    torch.manual_seed(0)
    return HybridDemucs(HybridDemucsConfig(hidden=4)).eval().requires_grad_(False)


@contextmanager
def following(network: HybridDemucs) -> Iterator[Engine]:
    engine = Engine(
        network,
        "small",
        torch.device("cpu"),
        presets={"test": PRESET},
        preset="test",
        incremental=True,
    )
    try:
        yield engine
    finally:
        engine.stop()


@pytest.fixture(scope="module")
def engine(network: HybridDemucs) -> Iterator[Engine]:
    with following(network) as engine:
        yield engine


class Session:
    """A stream of the engine, and what it has delivered."""

    def __init__(self, engine: Engine, hello: Hello = HELLO) -> None:
        self._engine = engine
        self._parts: list[np.ndarray] = []
        self._ended = threading.Event()
        self.worker: StreamWorker = engine.open_stream(engine.offer(hello), hello, self._deliver)

    def _deliver(self, finished: Finished) -> None:
        assert finished.error is None
        assert finished.samples is not None
        self._parts.append(finished.samples)
        if finished.end:
            self._ended.set()

    def separate(self, mix: np.ndarray) -> np.ndarray:
        self._parts.clear()
        self._ended.clear()
        for start in range(0, mix.shape[1], 3000):
            self.worker.push(mix[:, start : start + 3000], 0.0)
        self.worker.flush(0.0)
        assert self._ended.wait(60)
        return np.concatenate(self._parts, axis=-1)

    def close(self) -> None:
        self._engine.close_stream(self.worker)


def separated(engine: Engine, mix: np.ndarray) -> np.ndarray:
    session = Session(engine)
    try:
        return session.separate(mix)
    finally:
        session.close()


def noise(length: int, channels: int = 2) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, (channels, length)).astype(np.float32)


def exact(network: HybridDemucs, mix: np.ndarray) -> np.ndarray:
    stream = StreamingSeparator(network, StreamConfig.from_preset(PRESET), channels=len(mix))
    return torch.cat([stream.push(torch.from_numpy(mix)), stream.flush()], -1).numpy()


def agreement_db(got: np.ndarray, expected: np.ndarray) -> float:
    return float(10 * np.log10(np.square(expected).sum() / np.square(got - expected).sum()))


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_a_followed_session_is_separated_nearly_as_exactly(
    engine: Engine, network: HybridDemucs, channels: int
) -> None:
    mix = noise(80_000, channels)
    session = Session(
        engine,
        Hello(client="", mode=Mode.OFFLINE, sample_rate=44_100, channels=channels, block=8192),
    )
    got = session.separate(mix)
    session.close()
    expected = exact(network, mix)
    assert got.shape == expected.shape
    assert not np.array_equal(got, expected)
    assert agreement_db(got[..., 62_000:], expected[..., 62_000:]) > 25


def test_every_stream_begins_in_the_same_silence(engine: Engine) -> None:
    mix = noise(20_000)
    session = Session(engine)
    first = session.separate(mix)
    again = session.separate(mix)
    session.worker.reset(1)
    after_reset = session.separate(mix)
    session.close()
    other = Session(engine)
    elsewhere = other.separate(mix)
    other.close()
    for stems in (again, after_reset, elsewhere):
        assert np.array_equal(stems, first)


def test_what_was_passed_over_is_caught_up_with(engine: Engine, network: HybridDemucs) -> None:
    mix = noise(110_000)
    session = Session(engine)
    session.worker.bypass = True
    session.worker.push(mix[:, :40_000], 0.0)
    while session.worker.busy:
        pass
    session.worker.bypass = False
    for start in range(40_000, 110_000, 3000):
        session.worker.push(mix[:, start : start + 3000], 0.0)
    session.worker.flush(0.0)
    assert session._ended.wait(60)
    got = np.concatenate(session._parts, axis=-1)
    session.close()
    assert np.allclose(got[2, :, 1000:30_000], mix[:, 1000:30_000], atol=1e-6)
    assert agreement_db(got[..., 85_000:], exact(network, mix)[..., 85_000:]) > 25


def test_a_network_says_whether_it_could_be_followed(network: HybridDemucs) -> None:
    for separator, can_follow in ((network, True), (fakes.PassThrough(stride=2048), False)):
        engine = Engine(
            separator, "any", torch.device("cpu"), presets={"test": PRESET}, preset="test"
        )
        assert engine.can_follow == can_follow
        engine.stop()


def test_a_processor_of_many_cores_computes_sessions_beside_each_other(
    network: HybridDemucs,
) -> None:
    usual = torch.get_num_threads()
    torch.set_num_threads(7)
    try:
        with following(network) as engine:
            assert engine.workers == 3, "each with a thread for each branch"
            mixes = [noise(30_000) * gain for gain in (0.1, 0.5, 1.0, 2.0)]
            alone = [separated(engine, mix) for mix in mixes]
            with ThreadPoolExecutor(len(mixes)) as pool:
                beside = list(pool.map(partial(separated, engine), mixes))
    finally:
        torch.set_num_threads(usual)
    for one, other in zip(alone, beside, strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize(
    ("hidden", "threads", "at_once"), [(4, 1, 1), (4, 2, 1), (4, 6, 3), (4, 64, 4), (32, 64, 1)]
)
def test_hops_share_the_processors_that_one_has_no_use_for(
    hidden: int, threads: int, at_once: int
) -> None:
    made = HybridDemucs(HybridDemucsConfig(hidden=hidden)).eval().requires_grad_(False)
    follower = made.follow(segment=29 * 2048, hop=2048, wanted=slice(0, 2048))
    assert hops_at_once(follower, threads) == at_once
    assert hops_at_once(None, threads) == 1
