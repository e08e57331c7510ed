"""An LSTM whose weights lie the way oneDNN multiplies them.

torch brings them into that order at every call, which for windows of some dozens of steps takes as
long as the steps do. The results are the same to the last bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["PackedLSTM"]

_LSTM = 2
"""The number by which oneDNN's operation knows this kind of recurrence."""


class PackedLSTM(nn.Module):
    """A bidirectional LSTM for inference on the processor, in place of torch's.

    Args:
        lstm: bidirectional, with biases, the batch in the middle.
        dtype: float32 or bfloat16, of the weights and of what goes in and comes out.
    """

    def __init__(self, lstm: nn.LSTM, dtype: torch.dtype) -> None:
        super().__init__()
        assert lstm.bidirectional
        assert lstm.bias
        assert not lstm.batch_first
        self._hidden = lstm.hidden_size
        self._layers = [
            tuple(self._packed(lstm, f"l{layer}{way}", dtype) for way in ("", "_reverse"))
            for layer in range(lstm.num_layers)
        ]

    def _packed(self, lstm: nn.LSTM, suffix: str, dtype: torch.dtype) -> tuple[Tensor, ...]:
        of_input, of_state, *biases = (
            getattr(lstm, f"{kind}_{suffix}").detach().to(dtype)
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        # One order serves sequences and batches of every size.
        shape = [1, 1, of_input.shape[1]]
        reverse = suffix.endswith("_reverse")
        packed = torch.ops.mkldnn._reorder_mkldnn_rnn_layer_weight(
            of_input, of_state, self._hidden, reverse, True, False, shape
        )
        return (*packed, *biases)

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        """Map x [T, B, C] to [T, B, 2 · hidden], and to None where torch's has its last state."""
        for forwards, backwards in self._layers:
            x = x.contiguous()
            ways = [self._run(x, forwards, reverse=False), self._run(x, backwards, reverse=True)]
            x = torch.cat(ways, dim=-1)
        return x, None

    def _run(self, x: Tensor, weights: Sequence[Tensor], *, reverse: bool) -> Tensor:
        start = x.new_zeros(1, x.shape[1], self._hidden)
        options = {"mode": _LSTM, "hidden_size": self._hidden, "num_layers": 1}
        y: Tensor
        y, *_ = torch.ops.aten.mkldnn_rnn_layer(
            x,
            *weights,
            start,
            start,
            reverse=reverse,
            batch_sizes=[],
            **options,
            has_biases=True,
            bidirectional=False,
            batch_first=False,
            train=False,
        )
        return y
