"""An engine's device: how exactly it computes, and what becomes of one that lacks an operation."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from fakes import FakeSeparator, Gains
from streams import noise
from tiny_networks import tiny_network

from bridge.server import Engine
from bridge.server.scheduler import Ticket
from streamsep.config import LatencyPreset
from streamsep.errors import ConfigError
from streamsep.models.checkpoints import save_checkpoint

from cli.commands import streamsep  # isort: skip

if TYPE_CHECKING:
    from torch import Tensor

CPU, META = torch.device("cpu"), torch.device("meta")
SHORT = LatencyPreset(
    name="short", description="", use="", context=4096, hop=2048, look_ahead=2048, crossfade=512
)


def an_engine(separator, device: torch.device = CPU, **options) -> Engine:
    return Engine(separator, "it", device, presets={"short": SHORT}, preset="short", **options)


def computed(engine: Engine, mix: Tensor) -> Tensor:
    stems = engine.scheduler.submit(mix, Ticket(), 0.0).result(60)
    assert stems is not None
    return stems


def test_the_engine_computes_as_exactly_as_it_is_told() -> None:
    network = tiny_network("hybrid_demucs").requires_grad_(False)
    mix = noise(2, 8192)[None]
    with torch.inference_mode():
        exact = network(mix)
    told = {}
    for precision in (None, "float32", "bfloat16"):
        engine = an_engine(network, precision=precision)
        told[precision] = computed(engine, mix)
        engine.stop()
    assert torch.equal(told[None], exact)
    assert torch.equal(told["float32"], exact)
    error_db = 10 * torch.log10((told["bfloat16"] - exact).square().sum() / exact.square().sum())
    assert -80 < error_db < -20


def test_a_precision_that_the_device_lacks_is_refused() -> None:
    with pytest.raises(ConfigError, match="tf32 exists on CUDA devices only, got device 'cpu'"):
        an_engine(Gains(), precision="tf32")


def test_followed_streams_do_not_pretend_to_be_less_exact() -> None:
    with pytest.raises(ConfigError, match="leave out either --precision or --incremental"):
        an_engine(Gains(), precision="bfloat16", incremental=True)


@dataclass(frozen=True, kw_only=True)
class Halves(FakeSeparator):
    """Every stem is half of the mixture, wherever that lies."""

    stride: int = 2048

    def moved_to(self, device: torch.device) -> Halves:
        assert device == CPU
        return self

    def __call__(self, mix: Tensor) -> Tensor:
        return (mix / 2)[:, None].expand(-1, 4, -1, -1)


def test_an_engine_whose_device_lacks_an_operation_starts_on_the_processor(
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine = an_engine(Halves(), META)
    assert engine.scheduler.device == CPU
    mix = noise(2, 8192)[None]
    assert torch.equal(computed(engine, mix), Halves()(mix))
    engine.stop()
    (message,) = [each for each in caplog.messages if "device" in each]
    assert "'meta' lacks an operation" in message


def test_serve_refuses_in_one_line_what_the_device_lacks(monkeypatch) -> None:
    # A socket's path must be short.
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        weights = Path(folder) / "tiny.safetensors"
        save_checkpoint(tiny_network("hybrid_demucs"), weights, licence="CC0", training="none")
        ended = streamsep("serve", "--model", weights, "--device", "cpu", "--precision", "tf32")
    assert ended.returncode == 2
    assert ended.stderr.startswith("streamsep: precision tf32 exists on CUDA devices only")
    assert len(ended.stderr.splitlines()) == 1
