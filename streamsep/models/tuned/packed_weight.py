"""A convolution's weight in every order that oneDNN wants it in.

The order depends on the shape of the input, too: 52 steps want another than 130, and the first
window of a stream, its later ones, and streams at other presets all differ in length. A weight in
the wrong order is rearranged at every call, and from one packed order to another with oneDNN's
slowest code: at 48 channels in bfloat16 that took more than half of a hop.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

__all__ = ["PackedWeight", "passing_input"]

_MOST_SHAPES = 64
"""As many are remembered."""

_PASSING = ContextVar("passing", default=False)

_UNSET = slice(108, 112)
"""Of oneDNN's description of an order: what lies between two fields and is never written. Were it
elsewhere, equal orders would pass for different ones, and cost memory."""


@contextmanager
def passing_input() -> Iterator[None]:
    """Within it, no new order is looked for: the input is of a length that may never come again.

    To look takes time and memory for another weight, at the height of what a segment needs.
    """
    before = _PASSING.set(True)
    try:
        yield
    finally:
        _PASSING.reset(before)


class PackedWeight:
    """The orders of one weight; each is kept once, for all shapes that want it.

    Of a few dozen lengths of input no more than two different ones were wanted.

    Args:
        weight: [C_out, C_in, K_F, K_T], float32 or bfloat16, on the processor. It is let go of when
            the first order is known.
        padding: of the convolution along F and T.
        stride: likewise.
        dilation: likewise.
    """

    def __init__(
        self, weight: Tensor, padding: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
    ) -> None:
        self._plain: Tensor | None = weight
        self._geometry = (list(padding), list(stride), list(dilation), 1)
        self._orders: dict[bytes, Tensor] = {}
        self._of_shape: dict[torch.Size, Tensor] = {}
        # Several threads may compute segments; only one of them should pack.
        self._packing = threading.Lock()

    @property
    def orders(self) -> int:
        """How many are kept."""
        return len(self._orders)

    def for_input(self, shape: torch.Size) -> Tensor:
        """The weight as a convolution of an input [B, C_in, F, T] wants it."""
        packed = self._of_shape.get(shape)
        if packed is None:
            with self._packing:
                packed = self._of_shape.get(shape)
                if packed is None:
                    packed = self._new_for(shape)
        return packed

    def _new_for(self, shape: torch.Size) -> Tensor:
        if self._orders and _PASSING.get():
            return next(iter(self._orders.values()))
        if len(self._of_shape) >= _MOST_SHAPES:
            self._of_shape.clear()
        packed = self._of_shape[shape] = self._find(shape)
        return packed

    def _find(self, shape: torch.Size) -> Tensor:
        plain = self._plain
        if plain is not None:
            packed = self._pack(plain, shape)
            self._orders[_order_of(packed)] = packed
            self._plain = None
            return packed
        kept = next(iter(self._orders.values()))
        # Only the order is asked for: whatever lies in that memory will do.
        wanted = _order_of(self._pack(torch.empty(kept.shape, dtype=kept.dtype), shape))
        if wanted not in self._orders:
            self._orders[wanted] = self._pack(kept.to_dense(), shape)
        return self._orders[wanted]

    def _pack(self, weight: Tensor, shape: torch.Size) -> Tensor:
        packed: Tensor = torch.ops.mkldnn._reorder_convolution_weight(
            weight.contiguous(), *self._geometry, list(shape)
        )
        return packed


def _order_of(packed: Tensor) -> bytes:
    """OneDNN's own description of the order in memory; equal for equal orders."""
    described = bytearray(torch.ops.mkldnn._get_mkldnn_serialized_md(packed).numpy().tobytes())
    described[_UNSET] = bytes(len(described[_UNSET]))
    return bytes(described)
