from __future__ import annotations

import pytest
import torch

from streamsep.audio import replace_non_finite


def test_finite_blocks_come_back_uncopied() -> None:
    block = torch.randn(2, 64)
    clean, count = replace_non_finite(block)
    assert clean is block
    assert count == 0


def test_bad_samples_become_silence_and_are_counted() -> None:
    block = torch.tensor([[1.0, float("nan"), 2.0], [float("inf"), -1.0, float("-inf")]])
    clean, count = replace_non_finite(block)
    assert clean.tolist() == [[1.0, 0.0, 2.0], [0.0, -1.0, 0.0]]
    assert count == 3
    assert not torch.isfinite(block).all(), "the caller's block is left alone"


@pytest.mark.parametrize("block", [torch.zeros(2, 0), torch.full((2, 4), 3e38)])
def test_empty_blocks_and_sums_that_overflow_are_clean(block: torch.Tensor) -> None:
    clean, count = replace_non_finite(block)
    assert clean is block
    assert count == 0
