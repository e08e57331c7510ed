"""Small networks with random weights, and their twins in demucs and torchaudio.

Weights as initialised would let much pass: residual branches count for a thousandth, norms do
nothing, convolutions have no say about each other. So here all of them are far from neutral.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from streamsep.models.hybrid_demucs import HybridDemucs, HybridDemucsConfig

__all__ = ["demucs_twin", "ours_from_demucs", "random_network", "torchaudio_twin"]

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
        HybridDemucsConfig(
            hidden=hidden, audio_channels=channels, sources=STEMS[:sources], layer_scale=0.5
        )
    )
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.GroupNorm):
                module.weight.normal_(1.0, 0.3)
                module.bias.normal_(0.0, 0.3)
        for name, parameter in network.named_parameters():
            if name.endswith("scale"):
                parameter.mul_(torch.rand_like(parameter) + 0.5)
            elif "query_decay" in name:
                parameter.add_(torch.randn_like(parameter))
    return network.eval()


def ours_from_demucs(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """demucs' weights under our names."""
    renamed = {}
    for name, weight in weights.items():
        prefix, rest = name.split(".", 1)
        renamed[OURS.get(f"{prefix}.", f"{prefix}.") + rest] = weight
    return renamed


def demucs_twin(ours: HybridDemucs) -> nn.Module:
    """demucs' network with the weights of ours."""
    from demucs.hdemucs import HDemucs

    theirs = HDemucs(list(ours.sources), audio_channels=ours.channels, channels=ours.config.hidden)
    weights = ours.state_dict()
    names = {new: old for old in theirs.state_dict() for new in ours_from_demucs({old: None})}
    theirs.load_state_dict({names[name]: weight for name, weight in weights.items()})
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
