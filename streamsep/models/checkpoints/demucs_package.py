"""demucs' packages: the class of the network, its arguments, its weights.

Older ones are pickles (`.th`), newer ones safetensors whose metadata hold the same as JSON. Both
name the class `demucs.hdemucs.HDemucs`, which is never imported: its arguments are translated into
our configuration. Of the options that the published networks use and `HybridDemucs` lacks, each is
named when it turns up rather than ignored, because the network would load and sound wrong.
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

    from streamsep.models.checkpoints.torch_file import TorchFile
    from streamsep.models.hybrid_demucs import HybridDemucs

__all__ = ["build_demucs", "build_demucs_safetensors", "is_demucs"]

logger = logging.getLogger(__name__)

_CLASS = "demucs.hdemucs.HDemucs"

# demucs' arguments in the order of its signature, each with what becomes of it: a name of ours;
# or the values that leave our network unchanged; or None if it says nothing about the network.
_OPTIONS: dict[str, str | tuple[object, ...] | None] = {
    "sources": "sources",
    "audio_channels": "audio_channels",
    "channels": "hidden",
    "channels_time": (None,),
    "growth": "growth",
    "nfft": "n_fft",
    # Wiener filtering works on magnitudes; with complex numbers as channels there is none.
    "wiener_iters": None,
    "end_iters": None,
    "wiener_residual": None,
    "cac": (True,),
    "depth": "depth",
    "rewrite": (True,),
    "hybrid": (True,),
    "hybrid_old": (False,),
    "multi_freqs": (None, [], ()),
    "multi_freqs_depth": None,
    "freq_emb": "freq_embedding",
    "emb_scale": "embedding_scale",
    "emb_smooth": "embedding_smooth",
    "kernel_size": "kernel_size",
    "time_stride": "time_stride",
    "stride": "stride",
    "context": "context",
    "context_enc": (0,),
    "norm_starts": "norm_starts",
    "norm_groups": "norm_groups",
    "dconv_mode": (1,),
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


def build_demucs(file: TorchFile) -> HybridDemucs:
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


def build_demucs_safetensors(path: Path, metadata: Mapping[str, str]) -> HybridDemucs:
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
) -> HybridDemucs:
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
        rule = _OPTIONS[name]
        if isinstance(rule, str):
            options[rule] = value
        elif rule is not None and not any(value == harmless for harmless in rule):
            raise CheckpointError(
                f"it needs demucs' option {name}={value!r:.40}, which streamsep does not have yet"
            )
    options["freq_embedding"] = options.get("freq_embedding", 0.2) or 0
    options["rescale"] = options.get("rescale", 0.1) or 0
    return options


def _rename(name: str) -> str:
    for theirs, ours in _PREFIXES.items():
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    return name
