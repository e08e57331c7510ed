r"""Convolutions whose weights lie the way oneDNN multiplies them, with what follows fused in.

A convolution of torch's brings its weights into oneDNN's order anew every time it is called: for
the inner layers of a network on a few seconds of audio that takes longer than the convolution. Here
it is done once. Audio lies with its channels side by side (torch's channels_last), which oneDNN
takes as it is, and an activation is applied before the result ever leaves the registers. A GLU is
two convolutions, of which the second ends in a sigmoid::

    GLU(W x)  =  W₁x · σ(W₂x)

A transposed convolution whose kernel K is twice its stride S is a plain one in disguise. Each input
step touches two runs of S output steps, so S steps of output are S groups of channels of a
convolution with a kernel of 2::

    out[S·i + r]  =  W[r] x[i]  +  W[r + S] x[i − 1]

The operations are those that torch's own compiler emits; torch is pinned to the minor version.
Where there is no oneDNN, on other processors and on GPUs, they are torch's ordinary ones.
"""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from streamsep.models.tuned.matrix_product import MatrixProduct
from streamsep.models.tuned.packed_weight import PackedWeight

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "GatedConvolution",
    "PackedConvolution",
    "PackedTransposedConvolution",
    "as_2d",
    "can_pack",
    "has_onednn",
]


def has_onednn() -> bool:
    """Whether torch computes convolutions with oneDNN here, and as was measured."""
    available: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return available and platform.machine() in ("x86_64", "AMD64")


def can_pack(weight: Tensor) -> bool:
    """Whether a weight is where oneDNN computes."""
    return weight.device.type == "cpu" and has_onednn()


_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"gelu": F.gelu, "sigmoid": torch.sigmoid}


class PackedConvolution:
    """A convolution over [B, C, F, T] in channels_last.

    Args:
        weight: float32 [C_out, C_in, K_F, K_T].
        bias: float32 [C_out], or None.
        stride: along F and T.
        padding: zeros on both sides, likewise.
        dilation: likewise.
        dtype: float32 or bfloat16, of the weights and of what goes in and comes out.
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        *,
        stride: Sequence[int] = (1, 1),
        padding: Sequence[int] = (0, 0),
        dilation: Sequence[int] = (1, 1),
        dtype: torch.dtype,
    ) -> None:
        self._geometry = (list(padding), list(stride), list(dilation), 1)
        self._bias = None if bias is None else bias.to(dtype)
        self._weight: Tensor | None = weight.to(dtype)
        self._product: MatrixProduct | None = None
        self._packed: PackedWeight | None = None
        if not can_pack(weight):
            return
        if weight.shape[2:] == (1, 1) and set(stride) == {1} and not any(padding):
            self._product = MatrixProduct(self._weight[:, :, 0, 0], self._bias)
        else:
            self._packed = PackedWeight(self._weight, padding, stride, dilation)
        self._weight = None

    @classmethod
    def of(cls, conv: nn.Module, dtype: torch.dtype) -> PackedConvolution:
        """The same as a convolution of torch's along one axis or two."""
        weight, bias, geometry = as_2d(conv)
        return cls(weight, bias, **geometry, dtype=dtype)

    def __call__(self, x: Tensor, activation: str = "none") -> Tensor:
        """Convolve x; the activation is "none", "gelu" or "sigmoid"."""
        if self._packed is not None:
            weight = self._packed.for_input(x.shape)
            y = torch.ops.mkldnn._convolution_pointwise(
                x, weight, self._bias, *self._geometry, activation, [], "none"
            )
            return torch.as_tensor(y)
        if self._product is not None:
            return self._product(x.permute(0, 2, 3, 1), activation).permute(0, 3, 1, 2)
        assert self._weight is not None
        padding, stride, dilation, _ = self._geometry
        y = F.conv2d(x, self._weight, self._bias, stride, padding, dilation)
        return y if activation == "none" else _ACTIVATIONS[activation](y)


class GatedConvolution:
    """A convolution with a GLU after it.

    Args:
        weight: float32 [2C, C_in, K_F, K_T]; the second half of the channels is the gate.
        bias: float32 [2C], or None.
        padding: zeros on both sides along F and T.
        dtype: as of a `PackedConvolution`.
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        *,
        padding: Sequence[int] = (0, 0),
        dtype: torch.dtype,
    ) -> None:
        biases = (None, None) if bias is None else bias.chunk(2)
        # Each half owns its memory, and gives it back when it is packed.
        self._value, self._gate = (
            PackedConvolution(half.clone(), half_bias, padding=padding, dtype=dtype)
            for half, half_bias in zip(weight.chunk(2), biases, strict=True)
        )

    def __call__(self, x: Tensor, onto: Tensor | None = None) -> Tensor:
        """Map x [B, C_in, F, T] to [B, C, F, T], or add that to a tensor in place."""
        value, gate = self._value(x), self._gate(x, "sigmoid")
        return value.mul_(gate) if onto is None else onto.addcmul_(value, gate)


class PackedTransposedConvolution:
    """A transposed convolution along one axis, with a kernel of twice the stride.

    Args:
        conv: torch's, along one axis or along the first of two.
        dtype: as of a `PackedConvolution`.
    """

    def __init__(self, conv: nn.ConvTranspose1d | nn.ConvTranspose2d, dtype: torch.dtype) -> None:
        self._along_frequency = isinstance(conv, nn.ConvTranspose2d)
        self._stride = conv.stride[0]
        channels_in, channels_out = conv.weight.shape[:2]
        taps = conv.weight.detach().reshape(channels_in, channels_out, 2, self._stride)
        # [run, channels out, channels in, tap]; the later tap is that of the earlier step.
        taps = taps.permute(3, 1, 0, 2).flip(-1).reshape(-1, channels_in, 2)
        assert conv.bias is not None
        self._conv = PackedConvolution(
            taps[..., None] if self._along_frequency else taps[:, :, None],
            conv.bias.detach().repeat(self._stride),
            padding=(1, 0) if self._along_frequency else (0, 1),
            dtype=dtype,
        )

    def __call__(self, x: Tensor, activation: str = "none") -> Tensor:
        """Map x [B, C, F, T] to S·(F + 1) bins, or to S·(T + 1) steps."""
        runs = self._conv(x, activation)
        batch, _, bins, steps = runs.shape
        # In memory [B, F, T, S, C]: along time, the runs are in their places already.
        flat = runs.permute(0, 2, 3, 1).reshape(batch, bins, steps, self._stride, -1)
        if self._along_frequency:
            flat = flat.transpose(2, 3).reshape(batch, bins * self._stride, steps, -1)
        else:
            flat = flat.reshape(batch, bins, steps * self._stride, -1)
        return flat.permute(0, 3, 1, 2)


def as_2d(conv: nn.Module) -> tuple[Tensor, Tensor, dict[str, Sequence[int]]]:
    """Weight, bias and geometry of a convolution along one axis or two, as one along two."""
    assert isinstance(conv, nn.Conv1d | nn.Conv2d)
    assert conv.bias is not None
    assert not isinstance(conv.padding, str)
    weight = conv.weight.detach()
    along_time = weight.dim() == 3
    lead = {"stride": 1, "padding": 0, "dilation": 1}
    geometry = {
        name: (first, *getattr(conv, name)) if along_time else getattr(conv, name)
        for name, first in lead.items()
    }
    return weight[:, :, None] if along_time else weight, conv.bias.detach(), geometry
