r"""Wiener filtering: magnitudes of the stems, and the mixture, to spectrograms of the stems.

A network that estimates magnitudes says nothing about phases. The first estimate lends each stem
the phase of the mixture; its channels then agree with each other no better than chance has it. The
iterations that follow describe every stem by a Gaussian model and filter the mixture with it::

    v_s(f, n)   power of stem s: mean over channels of |y_s|²
    R_s(f)      how stem s lies between the channels: Σₙ y_s y_sᴴ / Σₙ v_s, a C × C matrix
    y_s      =  v_s R_s (Σⱼ vⱼ Rⱼ + √ε I)⁻¹ x

where x is the mixture. Each round shares the mixture out again by power and direction, so the
stems come to add up to it (up to ε, the power of a noise that no stem is charged with).

Sources: Duong, Vincent and Gribonval, "Under-determined reverberant audio source separation using a
full-rank spatial covariance model" (2010), section III; Nugraha, Liutkus and Vincent, "Multichannel
music separation with deep neural networks" (2016), section II; Liutkus, Badeau and Richard, "Kernel
additive models for source separation" (2014), for the covariances as weighted averages.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["wiener_filter"]

_BLOCK = 300
_NOISE = 1e-10
_LOUDEST = 10.0


def wiener_filter(
    magnitudes: Tensor, mixture: Tensor, *, iterations: int, residual: bool = False
) -> Tensor:
    """Turn magnitudes into spectrograms, differentiably.

    Covariances are those of 300 STFT frames at a time: a singer may walk across the stage.

    Args:
        magnitudes: estimates [B, S, C, F, N], as a rule at least 0.
        mixture: complex [B, C, F, N].
        iterations: rounds of expectation maximisation, from 0; with 0 the stems have the given
            magnitudes and the mixture's phase.
        residual: iterate with one stem more, what the estimates leave of the mixture; it takes up
            what belongs to no stem and is then dropped.

    Returns:
        Complex [B, S, C, F, N].
    """
    estimates = torch.polar(magnitudes, mixture.angle()[:, None].expand_as(magnitudes))
    if iterations == 0:
        return estimates
    stems = estimates.shape[1]
    if residual:
        rest = mixture[:, None] - estimates.sum(dim=1, keepdim=True)
        estimates = torch.cat([estimates, rest], dim=1)
    # The covariance of a mono song is all but singular: in single precision its inverse is noise.
    # (Apple's GPUs have no other.)
    dtype = mixture.dtype if mixture.device.type == "mps" else torch.complex128
    refined = [
        _maximise(y.to(dtype), x.to(dtype), iterations)[:, :stems]
        for y, x in zip(
            torch.split(estimates, _BLOCK, dim=-1),
            torch.split(mixture, _BLOCK, dim=-1),
            strict=True,
        )
    ]
    return torch.cat(refined, dim=-1).to(mixture.dtype)


def _maximise(estimates: Tensor, mixture: Tensor, iterations: int) -> Tensor:
    """Refine the estimates [B, S, C, F, N] of one block of the mixture [B, C, F, N]."""
    # ε is a fixed power, so that what it means depends on how loud the block is made.
    scale = (mixture.abs().amax(dim=(1, 2, 3), keepdim=True) / _LOUDEST).clamp(min=1.0)
    mixture = mixture / scale
    estimates = estimates / scale[:, None]
    for _ in range(iterations):
        estimates = _expect(estimates, mixture)
    return estimates * scale[:, None]


def _expect(estimates: Tensor, mixture: Tensor) -> Tensor:
    """One round: the Gaussian model of the estimates, and the mixture filtered with it."""
    power = (estimates.real.square() + estimates.imag.square()).mean(dim=2)
    covariance = torch.einsum("bscfn,bsdfn->bsfcd", estimates, estimates.conj())
    covariance = covariance / (_NOISE + power.sum(dim=-1))[..., None, None]
    power = power.to(estimates.dtype)
    whole = _regularise(torch.einsum("bsfn,bsfcd->bfncd", power, covariance))
    whitened = _solve(whole, mixture.permute(0, 2, 3, 1))
    return torch.einsum("bsfcd,bfnd->bscfn", covariance, whitened) * power[:, :, None]


def _regularise(matrices: Tensor) -> Tensor:
    """Add √ε to the diagonal of M [..., C, C], or more where rounding would swallow that."""
    trace = matrices.diagonal(dim1=-2, dim2=-1).real.sum(dim=-1)
    swallowed = 16 * torch.finfo(trace.dtype).eps * trace
    noise = swallowed.clamp(min=_NOISE**0.5).to(matrices.dtype)
    identity = torch.eye(matrices.shape[-1], dtype=matrices.dtype, device=matrices.device)
    return matrices + noise[..., None, None] * identity


def _solve(matrices: Tensor, vectors: Tensor) -> Tensor:
    """Solve M u = x for Hermitian M [..., C, C] and x [..., C]."""
    channels = vectors.shape[-1]
    if channels == 1:
        return vectors / matrices[..., 0]
    if channels > 2:
        return torch.linalg.solve(matrices, vectors)
    # Cramer's rule: the general solver takes ten times as long for matrices this small.
    left, right = matrices[..., 0, 0], matrices[..., 1, 1]
    across = matrices[..., 0, 1]
    determinant = left.real * right.real - across.real.square() - across.imag.square()
    solution = torch.stack(
        [
            right * vectors[..., 0] - across * vectors[..., 1],
            left * vectors[..., 1] - across.conj() * vectors[..., 0],
        ],
        dim=-1,
    )
    return solution / determinant[..., None]
