"""Graphs on a CUDA device. A GPU is nothing that could be installed, so without one these skip."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest
import torch
from streams import noise
from tiny_networks import tiny_network
from torch import Tensor

from bridge.server.scheduler import Scheduler, Ticket
from streamsep.devices import make_executor
from streamsep.devices.cuda import CudaExecutor
from streamsep.engine import DeviceSeparator, StreamConfig, StreamingSeparator

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")

CUDA = torch.device("cuda")
LENGTH = 8192


def network_there(name: str = "hybrid_demucs"):
    return tiny_network(name).requires_grad_(False).to(CUDA)


def mixes(batch: int, length: int = LENGTH) -> Tensor:
    return noise(2 * batch, length).reshape(batch, 2, length)


def step_by_step(network, mix: Tensor) -> Tensor:
    with torch.inference_mode():
        return network(mix.to(CUDA)).cpu()


def near(got: Tensor, expected: Tensor) -> bool:
    return torch.allclose(got, expected, atol=1e-3 * float(expected.abs().max()))


@pytest.mark.parametrize("name", ["hybrid_demucs", "demucs_v2", "conv_tasnet", "wave_u_net"])
def test_replaying_is_computing(name: str) -> None:
    network = network_there(name)
    executor = make_executor(network, CUDA)
    executor.prepare(2, LENGTH)
    assert isinstance(executor, CudaExecutor)
    assert executor._recordings.possible
    for batch in (1, 2, 3, 5, 8, 11):
        mix = mixes(batch)
        assert near(executor(mix), step_by_step(network, mix))


def test_batches_under_way_do_not_disturb_each_other() -> None:
    network = network_there()
    executor = make_executor(network, CUDA, largest_batch=2)
    executor.prepare(2, LENGTH)
    asked = [mixes(2) * gain for gain in (0.1, 0.3, 1.0, 2.0, 4.0)]
    pending = [executor.begin(mix) for mix in asked]
    for mix, each in zip(asked, pending, strict=True):
        assert near(each.result(), step_by_step(network, mix))
        assert each.done
    # Stems that were fetched are nobody else's.
    kept = pending[0].result().clone()
    for gain in (5.0, 6.0, 7.0):
        executor(mixes(2) * gain)
    assert torch.equal(pending[0].result(), kept)


def test_threads_share_an_executor() -> None:
    network = network_there()
    executor = make_executor(network, CUDA)
    executor.prepare(2, LENGTH)
    start = threading.Barrier(4)

    def work(gain: float) -> bool:
        mix = mixes(1) * gain
        expected = step_by_step(network, mix)
        start.wait(20)
        return all(near(executor(mix), expected) for _ in range(20))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, (0.2, 0.5, 1.0, 2.0)))


def test_a_separator_that_waits_is_computed_step_by_step_and_said_so(caplog) -> None:
    def waits(mix: Tensor) -> Tensor:
        loudest = float(mix.abs().max())
        return mix[:, None] * loudest

    executor = make_executor(waits, CUDA)
    with caplog.at_level(logging.WARNING):
        executor.prepare(2, LENGTH)
        mix = mixes(3)
        assert near(executor(mix), mix[:, None] * mix.abs().max())
    (message,) = caplog.messages
    assert "cannot be recorded" in message
    assert message.endswith("it waits for the device")
    assert_none_the_worse()


def test_a_recording_that_is_broken_off_leaves_the_device_as_it_was(monkeypatch, caplog) -> None:
    # As if torch had not seen it coming.
    monkeypatch.setattr("streamsep.devices.cuda.refuse_waiting", nullcontext)
    executor = make_executor(lambda mix: mix[:, None] * float(mix.abs().max()), CUDA)
    with caplog.at_level(logging.WARNING):
        executor.prepare(2, LENGTH)
    (message,) = caplog.messages
    assert "cannot be recorded" in message
    assert "previous error" not in message
    assert_none_the_worse()


def assert_none_the_worse() -> None:
    """The device computes, makes random numbers, gives memory back, and records others."""
    assert 0 <= float(torch.rand(1, device=CUDA)) < 1
    torch.cuda.empty_cache()
    block = torch.empty(1 << 28, dtype=torch.uint8, device=CUDA)
    taken = torch.cuda.memory_reserved()
    del block
    torch.cuda.empty_cache()
    assert torch.cuda.memory_reserved() <= taken - (1 << 28)
    network, mix = network_there(), mixes(2)
    executor = make_executor(network, CUDA)
    executor.prepare(2, LENGTH)
    assert isinstance(executor, CudaExecutor)
    assert executor._recordings.possible
    assert len(executor._recordings) == 4
    assert near(executor(mix), step_by_step(network, mix))


def test_few_recordings_are_kept_and_all_lengths_are_served() -> None:
    network = network_there()
    executor = CudaExecutor(network, CUDA, largest_batch=1, most_recordings=2)
    for length in (4096, 8192, 12288, 4096, 8192, 12288, 4096):
        for _ in range(3):
            mix = mixes(1, length)
            assert near(executor(mix), step_by_step(network, mix))
        assert len(executor._recordings) <= 2


@pytest.mark.parametrize(
    ("precision", "least_db"), [("float32", 90), ("tf32", 45), ("bfloat16", 25)]
)
def test_precisions_are_as_exact_as_they_claim(precision: str, least_db: float) -> None:
    network = network_there()
    exact = make_executor(network, CUDA, precision="float32")(mixes(2))
    executor = make_executor(network, CUDA, precision=precision)
    executor.prepare(2, LENGTH)
    error = (executor(mixes(2)) - exact).square().sum()
    assert 10 * torch.log10(exact.square().sum() / error.clamp(min=1e-30)) > least_db


@pytest.mark.parametrize("name", ["hybrid_demucs", "demucs_v2"])
def test_a_stream_on_the_device_is_the_stream(name: str) -> None:
    network = network_there(name)
    stride = network.stride
    config = StreamConfig(context=20 * stride, hop=2 * stride, look_ahead=2 * stride)
    mix = noise(2, 60 * stride)
    there = DeviceSeparator(network, CUDA)
    streams = (
        StreamingSeparator(network, config, device=CUDA),
        StreamingSeparator(there, config),
    )
    expected, got = (torch.cat([each.push(mix), each.flush()], dim=-1) for each in streams)
    assert near(got, expected)
    assert len(there._executor._recordings) == 1


def test_sessions_share_batches() -> None:
    network = network_there()
    scheduler = Scheduler(network, CUDA)
    scheduler.prepare([LENGTH])
    try:
        asked = [mixes(1) * gain for gain in (0.1, 0.2, 0.4, 0.8, 1.6)]
        futures = [scheduler.submit(mix, Ticket(), 0.0) for mix in asked]
        for mix, future in zip(asked, futures, strict=True):
            stems = future.result(60)
            assert stems is not None
            assert near(stems, step_by_step(network, mix))
    finally:
        scheduler.stop()
