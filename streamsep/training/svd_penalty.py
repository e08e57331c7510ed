"""A penalty on the largest singular value of every large weight.

Training of deep Demucs networks can diverge, and just before it does the weights of the innermost
layers have very large singular values. Adding Σ σ₁² to the loss, times a small factor, keeps them
small, and generalises better even where training is stable.

The pair of vectors u, v that belong to σ₁ comes from a randomised low-rank SVD and is held fixed;
then σ₁ = uᵀ·W·v, whose gradient u·vᵀ is that of the exact singular value. Nothing has to be
differentiated through the SVD's iterations.

Source: "Hybrid Spectrogram and Waveform Source Separation", section "Stabilizing training"; Halko
et al., "Finding structure with randomness" (2011).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamsep.config.training import SvdPenaltyConfig

__all__ = ["svd_penalty"]

_FLOATS_PER_MIB = 2**18


def svd_penalty(network: nn.Module, config: SvdPenaltyConfig) -> Tensor:
    """The sum of σ₁² over all weights of at least `config.least_mib`, without `config.weight`.

    Args:
        network: any network; LSTMs count, too. A convolution's kernel is seen as a matrix of its
            output channels by everything else.
        config: how to approximate.

    Returns:
        A scalar to differentiate, random in its last digits by torch's generator.
    """
    total = torch.zeros((), device=next(network.parameters()).device)
    for matrix in _matrices(network, config.least_mib * _FLOATS_PER_MIB):
        left, right = _leading_vectors(matrix, config)
        total = total + (left @ matrix @ right).square()
    return total


def _matrices(network: nn.Module, least: float) -> Iterator[Tensor]:
    """All large weights, output channels first, as [rows, columns]."""
    for module in network.modules():
        for weight in module.parameters(recurse=False):
            if weight.numel() < least or weight.dim() < 2:
                continue
            transposed = isinstance(module, nn.ConvTranspose1d | nn.ConvTranspose2d)
            outputs_first = weight.transpose(0, 1) if transposed else weight
            yield outputs_first.flatten(1)


@torch.no_grad()
def _leading_vectors(matrix: Tensor, config: SvdPenaltyConfig) -> tuple[Tensor, Tensor]:
    rank = min(config.rank, *matrix.shape)
    left, _, right = torch.svd_lowrank(matrix.float(), rank, config.iterations)
    return left[:, 0], right[:, 0]
