"""Batches are computed in few sizes, and nobody hears what fills them up."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from streamsep.devices.batching import batch_sizes, parts_of, rounded_up, write_padded

largest_batches = st.integers(1, 40)


@given(largest=largest_batches)
def test_sizes_are_few_and_end_with_the_largest(largest: int) -> None:
    sizes = batch_sizes(largest)
    assert sizes[0] == 1
    assert sizes[-1] == largest
    assert list(sizes) == sorted(set(sizes))
    assert len(sizes) <= largest.bit_length() + 1


@given(largest=largest_batches, share=st.floats(0, 1))
def test_less_than_half_of_a_batch_is_made_up(largest: int, share: float) -> None:
    batch = 1 + round(share * (largest - 1))
    size = rounded_up(batch, largest)
    assert size in batch_sizes(largest)
    assert batch <= size < 2 * batch


@given(batch=st.integers(1, 100), largest=largest_batches)
def test_a_batch_is_divided_without_loss(batch: int, largest: int) -> None:
    parts = parts_of(batch, largest)
    assert sum(parts) == batch
    assert all(part == largest for part in parts[:-1])
    assert 1 <= parts[-1] <= largest


@given(batch=st.integers(1, 9), more=st.integers(0, 9))
def test_what_fills_up_is_silence_whatever_was_there(batch: int, more: int) -> None:
    buffer = torch.full((batch + more, 2, 5), float("nan"))
    mix = torch.arange(batch * 10.0).reshape(batch, 2, 5)
    write_padded(buffer, mix)
    assert torch.equal(buffer[:batch], mix)
    assert torch.equal(buffer[batch:], torch.zeros(more, 2, 5))
