"""Executors that the processor can try: the plain one, and the one that falls back to it.

torch's ``meta`` device stands for one that lacks operations: it computes shapes, and refuses with
the very error of Apple's GPU to do anything that needs values.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import pytest
import torch
from fakes import FakeSeparator, SegmentShaped
from hypothesis import given
from hypothesis import strategies as st
from streams import noise
from tiny_networks import tiny_network
from torch import Tensor

from streamsep.devices import PRECISION_NAMES, make_executor
from streamsep.devices.fallback import FallbackExecutor
from streamsep.devices.precision import arithmetic
from streamsep.errors import ConfigError

CPU, META, CUDA = torch.device("cpu"), torch.device("meta"), torch.device("cuda")


@given(batch=st.integers(1, 5), length=st.integers(1, 300))
def test_on_the_processor_it_is_a_plain_call(batch: int, length: int) -> None:
    separator = SegmentShaped()
    executor = make_executor(separator, CPU)
    mix = noise(2 * batch, length).reshape(batch, 2, length)
    pending = executor.begin(mix)
    assert pending.done
    assert torch.equal(pending.result(), separator(mix))
    assert torch.equal(executor(mix), separator(mix))
    assert executor.largest_batch == 1


def test_a_network_on_the_processor_computes_as_ever_to_the_bit() -> None:
    network = tiny_network("hybrid_demucs").requires_grad_(False)
    mix = noise(2, 4096)[None]
    with torch.inference_mode():
        expected = network(mix)
    executor = make_executor(network, CPU)
    executor.prepare(2, 4096)
    assert torch.equal(executor(mix), expected)


def test_float32_by_name_is_float32_on_the_processor() -> None:
    mix = noise(2, 500)[None]
    exact = make_executor(SegmentShaped(), CPU)(mix)
    assert torch.equal(make_executor(SegmentShaped(), CPU, precision="float32")(mix), exact)


def test_bfloat16_is_near_and_comes_back_as_float32() -> None:
    network = tiny_network("hybrid_demucs").requires_grad_(False)
    mix = noise(2, 4096)[None]
    exact = make_executor(network, CPU)(mix)
    rounded = make_executor(network, CPU, precision="bfloat16")(mix)
    assert rounded.dtype == torch.float32
    error_db = 10 * torch.log10((rounded - exact).square().sum() / exact.square().sum())
    assert -80 < error_db < -20


@pytest.mark.parametrize(
    ("precision", "device", "message"),
    [
        ("half", CPU, "unknown precision 'half', expected float32, tf32, bfloat16"),
        ("tf32", CPU, "precision tf32 exists on CUDA devices only, got device 'cpu'"),
    ],
)
def test_a_precision_that_is_not_there_is_refused(precision, device, message) -> None:
    with pytest.raises(ConfigError, match=message):
        make_executor(SegmentShaped(), device, precision=precision)


def test_a_batch_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="largest batch must be at least 1, got 0"):
        make_executor(SegmentShaped(), CPU, largest_batch=0)


@pytest.mark.parametrize("broken", [False, True])
@pytest.mark.parametrize(("precision", "wanted"), [("float32", "ieee"), ("tf32", "tf32")])
def test_what_cuda_makes_of_float32_is_put_back(precision, wanted, broken) -> None:
    # These are settings of torch, which has them without a GPU too.
    places = (
        torch.backends.cuda.matmul,
        torch.backends.cudnn.conv,
        torch.backends.cudnn.rnn,
    )
    before = [place.fp32_precision for place in places]
    try:
        with arithmetic(precision, CUDA):
            assert [place.fp32_precision for place in places] == [wanted] * 3
            if broken:
                raise ZeroDivisionError  # noqa: TRY301 - the context is what is tested
    except ZeroDivisionError:
        assert broken
    assert [place.fp32_precision for place in places] == before


def test_every_precision_has_arithmetic_on_the_processor() -> None:
    for precision in PRECISION_NAMES:
        with arithmetic(precision, CPU):
            assert torch.is_autocast_enabled("cpu") == (precision == "bfloat16")
    assert not torch.is_autocast_enabled("cpu")


@dataclass(frozen=True, kw_only=True)
class Loudness(FakeSeparator):
    """Every stem is the mixture times its loudness; wherever that lies."""

    def __call__(self, mix: Tensor) -> Tensor:
        loudness = mix.square().mean((1, 2), keepdim=True).sqrt()
        return (mix * loudness)[:, None].expand(-1, 4, -1, -1)


@dataclass(frozen=True, kw_only=True)
class Travelling(Loudness):
    """Can go to another device, and computes nowhere else."""

    place: torch.device = META

    def moved_to(self, device: torch.device) -> Travelling:
        return Travelling(place=device)

    def __call__(self, mix: Tensor) -> Tensor:
        assert mix.device == self.place
        return super().__call__(mix)


def test_a_missing_operation_moves_the_separator_to_the_processor_and_says_so(caplog) -> None:
    executor = make_executor(Travelling(), META)
    assert isinstance(executor, FallbackExecutor)
    assert executor.device == META
    mix = noise(2, 100)[None]
    with caplog.at_level(logging.WARNING):
        stems = executor(mix)
        assert torch.equal(executor.begin(mix).result(), stems)
    assert torch.equal(stems, Loudness()(mix))
    assert executor.device == CPU
    (message,) = caplog.messages
    assert message.startswith("device 'meta' lacks an operation that this network needs (")
    assert message.endswith("it runs on the processor from now on")
    assert "\n" not in message


class Doubling(torch.nn.Module):
    """A network of one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = torch.nn.Buffer(torch.tensor(2.0))

    def forward(self, mix: Tensor) -> Tensor:
        return self.gain * mix[:, None].expand(-1, 4, -1, -1)


def test_preparing_shows_what_is_missing_before_anybody_waits(caplog) -> None:
    # Its weights are on the processor; it is its input that lacks values.
    executor = make_executor(Doubling(), META)
    with caplog.at_level(logging.WARNING):
        executor.prepare(2, 64)
    assert executor.device == CPU
    assert len(caplog.messages) == 1
    mix = noise(2, 64)[None]
    assert torch.equal(executor(mix), Doubling()(mix))


def test_what_cannot_move_is_a_line_for_the_user() -> None:
    executor = make_executor(Loudness(), META)
    with pytest.raises(ConfigError, match=r"lacks an operation .* use --device cpu") as caught:
        executor(noise(2, 100)[None])
    assert "\n" not in str(caught.value)


def test_other_errors_do_not_move_anything() -> None:
    def mistake(mix: Tensor) -> Tensor:
        raise ValueError("a bug")

    executor = make_executor(mistake, META)
    with pytest.raises(ValueError, match="a bug"):
        executor(noise(2, 100)[None])
    assert executor.device == META
