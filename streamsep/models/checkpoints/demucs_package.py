"""demucs' packages: the class of the network, its arguments, its weights.

Older ones are pickles (`.th`), newer ones safetensors whose metadata hold the same as JSON. Both
name the class `demucs.hdemucs.HDemucs`, which is never imported: its arguments are translated into
our configuration. What this version of demucs does not know is ignored with a warning, as demucs
does; what it knows and we cannot build is refused, because the network would sound wrong.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from safetensors import safe_open

from streamsep.errors import CheckpointError
from streamsep.models.checkpoints.assembly import assemble, check_config
from streamsep.models.checkpoints.restricted_unpickler import ForeignClass, StoredTensor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from torch import Tensor

    from streamsep.models.architectures import Network
    from streamsep.models.checkpoints.torch_file import TorchFile

__all__ = ["build_demucs", "build_demucs_safetensors", "is_demucs"]

logger = logging.getLogger(__name__)

_CLASS = "demucs.hdemucs.HDemucs"

# demucs' arguments in the order of its signature, each with our name for it, or None if it says
# nothing about the network.
_OPTIONS: dict[str, str | None] = {
    "sources": "sources",
    "audio_channels": "audio_channels",
    "channels": "hidden",
    "channels_time": "time_hidden",
    "growth": "growth",
    "nfft": "n_fft",
    "wiener_iters": "wiener_iterations",
    "end_iters": "training_wiener_iterations",
    "wiener_residual": "wiener_residual",
    "cac": "complex_as_channels",
    "depth": "depth",
    "rewrite": "rewrite",
    "hybrid": "hybrid",
    "hybrid_old": "old_padding",
    "multi_freqs": "band_edges",
    "multi_freqs_depth": "band_layers",
    "freq_emb": "freq_embedding",
    "emb_scale": "embedding_scale",
    "emb_smooth": "embedding_smooth",
    "kernel_size": "kernel_size",
    "time_stride": "time_stride",
    "stride": "stride",
    "context": "context",
    "context_enc": "encoder_context",
    "norm_starts": "norm_starts",
    "norm_groups": "norm_groups",
    "dconv_mode": "branches",
    "dconv_depth": "branch_depth",
    "dconv_comp": "branch_compress",
    "dconv_attn": "branch_attention_starts",
    "dconv_lstm": "branch_lstm_starts",
    "dconv_init": "layer_scale",
    "rescale": "rescale",
    "samplerate": "sample_rate",
    "segment": None,
}
_PREFIXES = {
    "encoder.": "freq_encoder.",
    "decoder.": "freq_decoder.",
    "tencoder.": "time_encoder.",
    "tdecoder.": "time_decoder.",
}


def is_demucs(content: object) -> bool:
    """Whether what was saved looks like a package of demucs."""
    return isinstance(content, dict) and {"klass", "kwargs", "state"} <= content.keys()


def build_demucs(file: TorchFile) -> Network:
    """Load a pickled package.

    Raises:
        CheckpointError: it holds another network, or one with options that we lack.
    """
    content = file.content
    klass = content["klass"]
    name = klass.name if isinstance(klass, ForeignClass) else type(klass).__name__
    state = dict(content["state"])
    shapes = {
        key: tuple(tensor.shape)
        for key, tensor in state.items()
        if isinstance(tensor, StoredTensor)
    }
    if len(shapes) != len(state):
        raise CheckpointError("the weights are quantised, expected plain tensors")
    return _build(
        name,
        content.get("args", ()),
        content["kwargs"],
        shapes,
        lambda key: file.read(state[key]),
    )


def build_demucs_safetensors(path: Path, metadata: Mapping[str, str]) -> Network:
    """Load a package in safetensors.

    Args:
        path: the file.
        metadata: its metadata, with demucs' entries `klass`, `args` and `kwargs`.

    Raises:
        CheckpointError: as `build_demucs`.
    """
    if "structure" in metadata:
        raise CheckpointError("the weights are quantised, expected plain tensors")
    with safe_open(path, framework="pt") as file:
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
        return _build(
            metadata["klass"],
            json.loads(metadata["args"]),
            json.loads(metadata["kwargs"]),
            shapes,
            lambda key: file.get_tensor(key).clone(),
        )


def _build(
    klass: str,
    args: Any,
    kwargs: Any,
    shapes: Mapping[str, tuple[int, ...]],
    read: Callable[[str], Tensor],
) -> Network:
    if klass != _CLASS:
        raise CheckpointError(f"it holds a {klass:.80}; of demucs' networks only {_CLASS} is known")
    arguments = {**dict(zip(_OPTIONS, args, strict=False)), **kwargs}
    config = check_config(_translate(arguments))
    theirs = {_rename(name): name for name in shapes}
    renamed = {name: shapes[original] for name, original in theirs.items()}
    return assemble(config, renamed, lambda name: read(theirs[name]))


def _translate(arguments: Mapping[str, object]) -> dict[str, object]:
    """Express demucs' arguments as options of `HybridDemucsConfig`."""
    options: dict[str, object] = {}
    for name, value in arguments.items():
        if name not in _OPTIONS:
            # As demucs does: options that have gone say nothing about the network any more.
            logger.warning("ignoring demucs' option %.60s, which demucs 4 does not know", name)
            continue
        ours = _OPTIONS[name]
        if ours is not None:
            options[ours] = value
    # demucs takes None for "none of it".
    for ours, nothing in (("freq_embedding", 0), ("rescale", 0), ("band_edges", ())):
        if ours in options:
            options[ours] = options[ours] or nothing
    branches = options.pop("branches", 1)
    if branches not in range(4):
        raise CheckpointError(f"dconv_mode is {branches!r:.60}, expected 0 to 3")
    options["encoder_branches"] = branches in (1, 3)
    options["decoder_branches"] = branches in (2, 3)
    return options


def _rename(name: str) -> str:
    for theirs, ours in _PREFIXES.items():
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    return name
