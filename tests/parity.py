"""How near one network comes to another that should compute the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["EXACT", "TOLERANCE", "distance", "gradient_distance"]

TOLERANCE = 1e-5
"""Largest difference allowed in single precision, as a share of the RMS."""

EXACT = 1e-9
"""Largest difference allowed in double precision, as a share of the RMS."""


def distance(ours: Tensor, theirs: Tensor) -> float:
    """The largest difference as a share of the RMS."""
    assert ours.shape == theirs.shape
    return float((ours - theirs).abs().max() / theirs.square().mean().sqrt())


def gradient_distance(
    ours: nn.Module, theirs: nn.Module, mix: Tensor, rename: Callable[[str], str] = str
) -> float:
    """The largest `distance` of any weight's gradient, for the same random loss on the same mix.

    It is computed in double precision: the gradient of an early layer is a sum of so many terms of
    either sign that single precision says little about it.

    Args:
        ours: our network.
        theirs: the other one, which returns the same shape.
        mix: [B, C, T].
        rename: from a name of ours to theirs.
    """
    for network in (ours, theirs):
        stems = network.double()(mix.double())
        probe = torch.randn(stems.shape, generator=torch.Generator().manual_seed(0))
        (stems * probe).mean().backward()
    theirs_by_name = dict(theirs.named_parameters())
    distances = []
    for name, parameter in ours.named_parameters():
        other = theirs_by_name[rename(name)]
        assert parameter.grad is not None, name
        assert other.grad is not None, name
        # A key's bias adds the same to every score, softmax does not see it, and rounding is left.
        if not name.endswith("key.bias"):
            distances.append(distance(parameter.grad, other.grad))
    return max(distances)
