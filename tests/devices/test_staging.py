"""Buffers of any shape from one stretch of memory."""

from __future__ import annotations

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from streamsep.devices.staging import Staging

CPU = torch.device("cpu")
shapes = st.tuples(st.integers(1, 8), st.integers(1, 2), st.integers(1, 50))


@given(asked=st.lists(shapes, min_size=1, max_size=20))
def test_buffers_have_their_shape_and_memory_only_grows(asked: list[tuple[int, ...]]) -> None:
    staging = Staging(CPU, pinned=False)
    longest, place = 0, None
    for shape in asked:
        here, there = staging.buffers(shape)
        assert here.shape == there.shape == shape
        assert here.is_contiguous()
        assert there.is_contiguous()
        if math.prod(shape) <= longest:
            assert (here.data_ptr(), there.data_ptr()) == place
        longest, place = max(longest, math.prod(shape)), (here.data_ptr(), there.data_ptr())
        assert here.untyped_storage().nbytes() == 4 * longest


def test_the_two_sides_do_not_share_memory() -> None:
    here, there = Staging(CPU, pinned=False).buffers((2, 2, 8))
    here.fill_(1.0)
    there.fill_(2.0)
    assert torch.equal(here, torch.ones(2, 2, 8))


def test_the_other_side_lies_on_the_device() -> None:
    here, there = Staging(torch.device("meta"), pinned=False).buffers((2, 2, 8))
    assert (here.device.type, there.device.type) == ("cpu", "meta")
