"""Weights in oneDNN's order: the results are torch's, and nothing is rearranged twice."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from streamsep.models.tuned.packed import PackedConvolution, can_pack
from streamsep.models.tuned.packed_lstm import PackedLSTM
from streamsep.models.tuned.packed_weight import PackedWeight, passing_input

pytestmark = pytest.mark.skipif(
    not can_pack(torch.zeros(1)), reason="oneDNN does not compute on this processor"
)

CHANNELS = 384


def an_input(length: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    x = torch.randn(1, CHANNELS, 1, length, generator=torch.Generator().manual_seed(length))
    return x.to(dtype, memory_format=torch.channels_last)


@pytest.fixture(scope="module")
def conv() -> nn.Conv1d:
    torch.manual_seed(0)
    return nn.Conv1d(CHANNELS, 96, 3, padding=1).requires_grad_(False)


@given(lengths=st.lists(st.integers(1, 300), min_size=1, max_size=8), passing=st.booleans())
@settings(max_examples=20, deadline=None)
def test_a_convolution_is_torchs_whatever_lengths_came_before(
    conv: nn.Conv1d, lengths: list[int], passing: bool
) -> None:
    packed = PackedConvolution.of(conv, torch.float32)
    for length in lengths:
        x = an_input(length)
        expected = conv(x[:, :, 0])[:, :, None]
        if passing:
            with passing_input():
                got = packed(x)
        else:
            got = packed(x)
        assert torch.allclose(got, expected, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_an_order_is_kept_once_for_all_lengths_that_want_it(dtype: torch.dtype) -> None:
    weight = PackedWeight(torch.randn(96, CHANNELS, 1, 3).to(dtype), (0, 1), (1, 1), (1, 1))
    shapes = [torch.Size((1, CHANNELS, 1, length)) for length in range(8, 270, 6)]
    first = [weight.for_input(shape) for shape in shapes]
    assert weight.orders == len({id(each) for each in first}) <= 3
    again = [weight.for_input(shape) for shape in shapes]
    assert all(one is other for one, other in zip(first, again, strict=True))


def test_what_passes_adds_no_order() -> None:
    weight = PackedWeight(torch.randn(96, CHANNELS, 1, 3), (0, 1), (1, 1), (1, 1))
    with passing_input():
        for length in range(8, 270, 6):
            weight.for_input(torch.Size((1, CHANNELS, 1, length)))
    assert weight.orders == 1


SCRIPT = """
import sys, torch
from streamsep.models.tuned.packed import PackedConvolution
conv = PackedConvolution(
    torch.randn(384, 384, 1, 3), torch.zeros(384), padding=(0, 1), dtype=torch.bfloat16
)
inputs = [torch.randn(1, 384, 1, n).bfloat16() for n in (52, 130, 26, 260)]
inputs = [each.contiguous(memory_format=torch.channels_last) for each in inputs]
for x in inputs:
    conv(x)
print("warm", flush=True)
for x in inputs * 3:
    conv(x)
"""


def test_lengths_in_turn_rearrange_no_weight() -> None:
    """At every call it took a hop of a large network three times as long."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        env=os.environ | {"ONEDNN_VERBOSE": "1"},
        timeout=120,
        check=True,
    )
    before, after = done.stdout.split("warm\n")
    assert ",exec,cpu,reorder," in before, "otherwise oneDNN would not have told"
    assert after.count(",exec,cpu,convolution,") == 12
    assert ",exec,cpu,reorder," not in after


@given(steps=st.integers(1, 70), batch=st.integers(1, 4), bfloat16=st.booleans())
@settings(max_examples=20, deadline=None)
def test_an_lstm_is_torchs_to_the_last_bit(steps: int, batch: int, bfloat16: bool) -> None:
    dtype = torch.bfloat16 if bfloat16 else torch.float32
    torch.manual_seed(steps)
    lstm = nn.LSTM(24, 16, num_layers=2, bidirectional=True).to(dtype).requires_grad_(False)
    x = torch.randn(batch, steps, 24).to(dtype).transpose(0, 1)
    with torch.inference_mode():
        got, _ = PackedLSTM(lstm, dtype)(x)
        expected, _ = lstm(x)
    assert torch.equal(got, expected)
