"""The arithmetic of a step's forward pass.

In bfloat16, autocast rounds the factors of convolutions and matrix products. On CUDA devices it
makes cuDNN's LSTMs float16 instead, whatever type it was told (aten/src/ATen/cudnn/AutocastRNN.cpp
in PyTorch), where gradients below 6e-8 are zero unless the loss is scaled up. Their range is the
reason to take bfloat16 at all, so there LSTMs stay in float32.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Literal

__all__ = ["lstms_in_float32", "mixed_precision"]

State = tuple[Tensor, Tensor]


@contextmanager
def mixed_precision(
    network: nn.Module, precision: Literal["float32", "bfloat16"], device: torch.device
) -> Iterator[None]:
    """Compute a network's forward passes like this as long as the context lasts.

    Args:
        network: that computes in it.
        precision: of convolutions and matrix products.
        device: where it lies.
    """
    with ExitStack() as stack:
        if precision == "bfloat16":
            stack.enter_context(torch.autocast(device.type, dtype=torch.bfloat16))
            if device.type == "cuda":
                stack.enter_context(lstms_in_float32(network))
        yield


@contextmanager
def lstms_in_float32(network: nn.Module) -> Iterator[None]:
    """Let autocast pass by all LSTMs of a network as long as the context lasts."""
    lstms = [module for module in network.modules() if isinstance(module, nn.LSTM)]
    with ExitStack() as stack:
        for lstm in lstms:
            stack.enter_context(_in_float32(lstm))
        yield


@contextmanager
def _in_float32(lstm: nn.LSTM) -> Iterator[None]:
    compute: Callable[..., tuple[Tensor, State]] = lstm.forward  # type: ignore[has-type]

    def forward(x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        with torch.autocast(x.device.type, enabled=False):
            return compute(x.float(), state)

    # In the module's own dictionary, where it hides the method of its class until it is gone.
    lstm.__dict__["forward"] = forward
    try:
        yield
    finally:
        del lstm.__dict__["forward"]
