"""torchaudio's Hybrid Demucs: a plain dictionary of tensors, without a word about the network.

The names are ours, so the shapes tell the configuration. Two tensors too many come with every such
file: a norm that torchaudio builds in the last layer of the time branch and never calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamsep.errors import CheckpointError
from streamsep.models.checkpoints.assembly import (
    ReadCheckpoint,
    assemble,
    element_types,
    empty_network,
)
from streamsep.models.checkpoints.demucs_classes import FOUR_STEMS
from streamsep.models.checkpoints.option_limits import check_config
from streamsep.models.checkpoints.restricted_unpickler import StoredTensor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamsep.models.checkpoints.torch_file import TorchFile
    from streamsep.models.hybrid_demucs import HybridDemucsConfig

__all__ = ["build_torchaudio", "is_torchaudio"]

_STRIDE = 4


def is_torchaudio(content: object) -> bool:
    """Whether what was saved looks like torchaudio's dictionary of tensors."""
    return (
        isinstance(content, dict)
        and any(str(name).startswith("freq_encoder.") for name in content)
        and all(isinstance(value, StoredTensor) for value in content.values())
    )


def build_torchaudio(file: TorchFile) -> ReadCheckpoint:
    """Load a network from torchaudio's dictionary.

    Raises:
        CheckpointError: the tensors are not those of a Hybrid Demucs.
    """
    weights = file.describe_all(file.content)
    config = _config({name: weight.shape for name, weight in weights.items()})
    unused = f"time_encoder.{config.merge_layer}.norm1."
    weights = {name: weight for name, weight in weights.items() if not name.startswith(unused)}
    return ReadCheckpoint(
        network=assemble(empty_network(config, file.size), weights),
        file_format="torchaudio bundle",
        stored_as=element_types(weights.values()),
    )


def _config(shapes: Mapping[str, tuple[int, ...]]) -> HybridDemucsConfig:
    try:
        hidden, complex_channels = shapes["freq_encoder.0.conv.weight"][:2]
        bins = shapes["freq_emb.embedding.weight"][0]
        depth = len({name.split(".")[1] for name in shapes if name.startswith("freq_decoder.")})
        outputs = shapes[f"freq_decoder.{depth - 1}.conv_tr.weight"][1]
        channels = complex_channels // 2
        sources = outputs // complex_channels
    except (KeyError, IndexError, ValueError, ZeroDivisionError):
        raise CheckpointError("the tensors are not those of torchaudio's Hybrid Demucs") from None
    if sources != len(FOUR_STEMS):
        raise CheckpointError(
            f"{sources} stems whose names the file does not hold, expected {len(FOUR_STEMS)}"
        )
    return check_config(
        {
            "sources": FOUR_STEMS,
            "audio_channels": channels,
            "hidden": hidden,
            "depth": depth,
            "n_fft": 2 * _STRIDE * bins,
        }
    )
