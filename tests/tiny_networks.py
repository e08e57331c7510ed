"""A tiny network of every architecture, with weights that matter.

Weights as initialised would let much pass: norms and gains that do nothing, branches that count for
a thousandth, and biases that drown what a handful of channels makes of the mixture. `shaken` makes
all of them count.
"""

from __future__ import annotations

from importlib.util import find_spec

import torch
from support import require
from torch import nn

from streamsep.models.architectures import Network, build_network

__all__ = ["TINY", "shaken", "tiny_network"]

TINY: dict[str, tuple[str, dict[str, object]]] = {
    "hybrid_demucs": ("hybrid_demucs", {"hidden": 8, "n_fft": 64, "depth": 3, "norm_starts": 1}),
    "htdemucs": (
        "htdemucs",
        {
            "segment": 4099,
            "arguments": {
                "channels": 8,
                "nfft": 128,
                "depth": 2,
                "norm_starts": 1,
                "bottom_channels": 16,
                "t_layers": 2,
                "t_heads": 2,
            },
        },
    ),
    "demucs_v1": ("demucs_v1", {"hidden": 4, "depth": 3}),
    "demucs_v1 upsampling": ("demucs_v1", {"hidden": 4, "depth": 2, "upsample": True}),
    "demucs_v2": ("demucs_v2", {"hidden": 4, "depth": 3}),
    "demucs_time": (
        "demucs_time",
        {
            "hidden": 8,
            "depth": 3,
            "norm_starts": 2,
            "branch_lstm_starts": 2,
            "branch_attention_starts": 1,
        },
    ),
    "demucs_time without rewrite": (
        "demucs_time",
        {
            "hidden": 8,
            "depth": 2,
            "norm_starts": 9,
            "branch_lstm_starts": 9,
            "branch_attention_starts": 9,
            "rewrite": False,
        },
    ),
    "open_unmix": ("open_unmix", {"n_fft": 128, "hop": 32, "hidden": 16}),
    "open_unmix mono": (
        "open_unmix",
        {"n_fft": 64, "hop": 32, "hidden": 8, "audio_channels": 1, "bidirectional": False},
    ),
    "conv_tasnet": (
        "conv_tasnet",
        {"filters": 12, "bottleneck": 8, "hidden": 10, "blocks": 3, "repeats": 2},
    ),
    "wave_u_net": ("wave_u_net", {"levels": 4, "filters": 3}),
    "wave_u_net learned": (
        "wave_u_net",
        {"levels": 3, "filters": 3, "learned_upsampling": True, "difference": False},
    ),
}
"""Architecture and options, by what is special about them."""


def tiny_network(name: str, **options: object) -> Network:
    """One of the tiny networks, with other options if need be, ready to separate."""
    architecture, own = TINY[name]
    if architecture == "htdemucs":
        require(find_spec("demucs"), "demucs is not installed")
    torch.manual_seed(0)
    return shaken(build_network(architecture, {**own, **options}))


def shaken(network: Network, seed: int = 0) -> Network:
    """The network, in evaluation mode, with gains, shifts and statistics that are not neutral."""
    generator = torch.Generator().manual_seed(seed)

    def random(like: torch.Tensor) -> torch.Tensor:
        return torch.randn(like.shape, generator=generator)

    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv1d | nn.Conv2d | nn.ConvTranspose1d | nn.ConvTranspose2d):
                # As loud after every layer as before it.
                fan_in = module.weight[0].numel()
                if isinstance(module, nn.ConvTranspose1d | nn.ConvTranspose2d):
                    fan_in = module.weight[:, 0].numel() // module.stride[0]
                module.weight.copy_(random(module.weight) * (2 / fan_in) ** 0.5)
                if module.bias is not None:
                    module.bias.copy_(0.05 * random(module.bias))
        for name, weight in network.named_parameters():
            if name.endswith("scale") and ".layers." in name:
                weight.copy_(0.5 + 0.1 * random(weight))
            elif name.endswith((".gamma", ".beta", ".share", "_mean", "_scale")):
                weight.add_(0.2 * random(weight))
        for module in network.modules():
            if isinstance(module, nn.GroupNorm):
                module.weight.add_(0.2 * random(module.weight))
                module.bias.add_(0.2 * random(module.bias))
        for name, buffer in network.named_buffers():
            if name.endswith("running_var"):
                buffer.add_(random(buffer).abs())
            elif name.endswith("running_mean"):
                buffer.add_(random(buffer))
    return network.eval()
