"""Small networks with random weights, and their twins in demucs and torchaudio.

Weights as initialised would let much pass: residual branches count for a thousandth, norms do
nothing, convolutions have no say about each other. So here all of them are far from neutral.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from streamsep.models.hybrid_demucs import HybridDemucs, HybridDemucsConfig

__all__ = [
    "STEMS",
    "demucs_from_ours",
    "demucs_twin",
    "ours_from_demucs",
    "random_network",
    "torchaudio_twin",
    "unsettle",
]

STEMS = ("drums", "bass", "other", "vocals")
OURS = {
    "encoder.": "freq_encoder.",
    "decoder.": "freq_decoder.",
    "tencoder.": "time_encoder.",
    "tdecoder.": "time_decoder.",
}


def random_network(
    *, hidden: int = 8, channels: int = 2, sources: int = 4, seed: int = 0
) -> HybridDemucs:
    """A Hybrid Demucs whose every parameter matters."""
    torch.manual_seed(seed)
    network = HybridDemucs(
        HybridDemucsConfig(hidden=hidden, audio_channels=channels, sources=STEMS[:sources])
    )
    unsettle(network)
    return network.eval()


@torch.no_grad()
def unsettle(network: nn.Module) -> None:
    """Draw those weights of a Hybrid Demucs, ours or demucs', that start out neutral."""
    for module in network.modules():
        if isinstance(module, nn.GroupNorm):
            module.weight.normal_(1.0, 0.3)
            module.bias.normal_(0.0, 0.3)
    for name, parameter in network.named_parameters():
        if name.endswith("scale"):
            parameter.uniform_(0.25, 0.75)
        elif "query_decay" in name:
            parameter.add_(torch.randn_like(parameter))


def ours_from_demucs(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """demucs' weights under our names."""
    renamed = {}
    for name, weight in weights.items():
        prefix, rest = name.split(".", 1)
        renamed[OURS.get(f"{prefix}.", f"{prefix}.") + rest] = weight
    return renamed


def demucs_from_ours(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Our weights under demucs' names."""
    theirs = {ours: prefix for prefix, ours in OURS.items()}
    renamed = {}
    for name, weight in weights.items():
        prefix, rest = name.split(".", 1)
        renamed[theirs.get(f"{prefix}.", f"{prefix}.") + rest] = weight
    return renamed


def demucs_twin(ours: HybridDemucs) -> nn.Module:
    """demucs' network with the weights of ours."""
    from demucs.hdemucs import HDemucs

    theirs = HDemucs(list(ours.sources), audio_channels=ours.channels, channels=ours.config.hidden)
    theirs.load_state_dict(demucs_from_ours(ours.state_dict()))
    return theirs.eval()


def torchaudio_twin(ours: HybridDemucs) -> nn.Module:
    """torchaudio's network with the weights of ours."""
    from torchaudio.models import HDemucs

    theirs = HDemucs(list(ours.sources), audio_channels=ours.channels, channels=ours.config.hidden)
    incompatible = theirs.load_state_dict(ours.state_dict(), strict=False)
    unused = {"time_encoder.4.norm1.weight", "time_encoder.4.norm1.bias"}
    assert set(incompatible.missing_keys) == unused
    assert not incompatible.unexpected_keys
    return theirs.eval()
