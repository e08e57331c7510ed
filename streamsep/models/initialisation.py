"""How weights start."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["rescale_convolutions"]


@torch.no_grad()
def rescale_convolutions(module: nn.Module, reference: float) -> None:
    """Bring every convolution's initial weights closer to a common deviation.

    Weight and bias are divided by √(deviation / reference), which takes half of the distance on a
    logarithmic scale: without it the signal fades on its way through a deep U-Net.

    Args:
        module: its convolutions and transposed convolutions are changed in place.
        reference: the deviation to approach, above 0.

    Source: "Music Source Separation in the Waveform Domain", section 3.4.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.ConvTranspose1d | nn.ConvTranspose2d):
            scale = (layer.weight.std() / reference) ** 0.5
            layer.weight.div_(scale)
            if layer.bias is not None:
                layer.bias.div_(scale)
