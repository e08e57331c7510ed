"""Bare weights of demucs v2: tensors by name, and not a word about the network.

v2's downloads are such files, because its code knew which network belonged to which name. Here the
names and shapes of the tensors tell it. What they cannot tell is as v2 had it: stride 4, twice the
sample rate, the four stems of MUSDB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamsep.errors import CheckpointError
from streamsep.models.checkpoints.assembly import empty_network
from streamsep.models.checkpoints.demucs_classes import FOUR_STEMS
from streamsep.models.checkpoints.demucs_package import build_state
from streamsep.models.checkpoints.option_limits import check_config
from streamsep.models.checkpoints.restricted_unpickler import StoredTensor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamsep.models.checkpoints.assembly import ReadCheckpoint
    from streamsep.models.checkpoints.torch_file import TorchFile

__all__ = ["build_demucs_state", "is_demucs_state"]

_STRIDE = 4
_DEMUCS_MARK = "encoder.0.0.weight"
_CONV_TASNET_MARK = "encoder.conv1d_U.weight"


def is_demucs_state(content: object) -> bool:
    """Whether what was saved looks like bare weights of demucs v2."""
    if not isinstance(content, dict):
        return False
    if content.keys() == {"compressed"}:
        return True
    marks = {_DEMUCS_MARK, _CONV_TASNET_MARK} & content.keys()
    return bool(marks) and all(isinstance(value, StoredTensor) for value in content.values())


def build_demucs_state(file: TorchFile) -> ReadCheckpoint:
    """Load bare weights.

    Raises:
        CheckpointError: they are not those of a network of v2.
    """
    content = file.content
    shapes = {
        str(name): tuple(value.shape)
        for name, value in content.items()
        if isinstance(value, StoredTensor)
    }
    architecture, options = "demucs_v2", {}
    try:
        if _CONV_TASNET_MARK in shapes:
            architecture, options = "conv_tasnet", _conv_tasnet_options(shapes)
        elif shapes:
            options = _demucs_options(shapes)
    except (KeyError, IndexError, ValueError, ZeroDivisionError):
        raise CheckpointError("the tensors are not those of a network of demucs v2") from None
    config = check_config({"sources": FOUR_STEMS, **options}, architecture)
    return build_state(empty_network(config, file.size), content, file, architecture)


def _demucs_options(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    hidden, channels, kernel = shapes[_DEMUCS_MARK]
    depth = _count(shapes, "encoder.")
    rewrite = shapes.get("encoder.0.2.weight")
    options: dict[str, Any] = {
        "audio_channels": channels,
        "hidden": hidden,
        "depth": depth,
        "kernel_size": kernel,
        "stride": _STRIDE,
        "rewrite": rewrite is not None,
        "lstm_layers": sum(name.startswith("lstm.lstm.bias_ih") for name in shapes) // 2,
    }
    if depth > 1:
        options["growth"] = shapes["encoder.1.0.weight"][0] / hidden
    if rewrite is not None:
        options["glu"] = rewrite[0] == 2 * hidden
        options["context"] = shapes["decoder.0.0.weight"][2] // 2
    return options


def _conv_tasnet_options(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    filters, channels, length = shapes[_CONV_TASNET_MARK]
    block = "separator.network.2.0.0.net"
    hidden, bottleneck, _ = shapes[f"{block}.0.weight"]
    return {
        "audio_channels": channels,
        "filters": filters,
        "filter_length": length,
        "bottleneck": bottleneck,
        "hidden": hidden,
        "kernel_size": shapes[f"{block}.3.net.0.weight"][2],
        "blocks": _count(shapes, "separator.network.2.0."),
        "repeats": _count(shapes, "separator.network.2."),
    }


def _count(shapes: Mapping[str, tuple[int, ...]], prefix: str) -> int:
    """How many parts lie directly below a name."""
    below = [name.removeprefix(prefix) for name in shapes if name.startswith(prefix)]
    return len({name.partition(".")[0] for name in below})
