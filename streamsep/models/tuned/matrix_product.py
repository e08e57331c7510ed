"""Convolutions with a kernel of 1: one matrix product of all steps, however many they are.

oneDNN's weights for such a convolution would lie in an order that depends on the number of steps;
those of a matrix product do not. To begin one takes oneDNN 35 µs, though, and MKL 6: a hop of a
small network has seventy. MKL is the faster one for narrow layers on long inputs as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["MatrixProduct"]

_LARGEST_PLAIN = 1 << 16
"""Weights up to which MKL was the faster one. From 192 × 192 to 512 × 512 they differ little;
beyond, MKL takes up to twice as long, for it arranges the weights anew at every call."""


class MatrixProduct:
    """Maps the channels of every step.

    Args:
        weight: [C_out, C_in], on the processor, float32 or bfloat16.
        bias: [C_out], of the same type; None for none, which saves a pass over what comes out.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self._bias = bias
        self._plain = weight.dtype == torch.float32 and weight.numel() <= _LARGEST_PLAIN
        self._weight: Tensor
        if self._plain:
            self._weight = weight.T.contiguous()
        else:
            self._weight = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), None)

    def __call__(self, x: Tensor, activation: str) -> Tensor:
        """Map x [..., C_in] to [..., C_out]; the activation is "none" or "sigmoid"."""
        if not self._plain:
            y = torch.ops.mkldnn._linear_pointwise(
                x, self._weight, self._bias, activation, [], "none"
            )
            return torch.as_tensor(y)
        steps = x.reshape(-1, x.shape[-1])
        if self._bias is None:
            y = torch.mm(steps, self._weight)
        else:
            y = torch.addmm(self._bias, steps, self._weight)
        if activation == "sigmoid":
            y.sigmoid_()
        return y.view(*x.shape[:-1], y.shape[-1])
