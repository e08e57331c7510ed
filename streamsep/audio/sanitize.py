"""Keep NaN and infinity away from the network and the speakers.

One bad sample would spread over a whole segment through the STFT and the normalisation, and would
stay in every recurrent state after it. It is replaced by silence and counted, so that whoever owns
the stream can say so once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["replace_non_finite"]


def replace_non_finite(block: Tensor) -> tuple[Tensor, int]:
    """Replace NaN and infinite samples by 0.

    Args:
        block: Float samples of any shape.

    Returns:
        The block and 0 where every sample is finite (the same tensor: nothing is copied), else a
        repaired copy and how many samples were replaced.
    """
    # A sum is one pass without a temporary, and a finite sum proves finite terms. The sum of huge
    # finite terms may overflow, which only costs the slow path below.
    if bool(torch.isfinite(block.sum())):
        return block, 0
    bad = ~torch.isfinite(block)
    count = int(bad.sum())
    return (block.masked_fill(bad, 0.0), count) if count else (block, 0)
