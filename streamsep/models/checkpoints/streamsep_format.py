"""Our own format: safetensors, with everything else one needs to know in its header.

safetensors is a JSON header (names, types, shapes, places) and then the numbers; there is nothing
in it to execute. Its free-form metadata hold one entry, `streamsep`, which is JSON again:

    {"format": 1, "architecture": "hybrid_demucs", "config": {...}, "sources": [...],
     "sample_rate": 44100, "licence": "...", "training": "..."}
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from streamsep.errors import CheckpointError, OutputError
from streamsep.models.architectures import architecture_of
from streamsep.models.checkpoints.assembly import (
    ReadCheckpoint,
    assemble,
    element_types,
    empty_network,
)
from streamsep.models.checkpoints.option_limits import check_config
from streamsep.whole_file import whole_file

if TYPE_CHECKING:
    from pathlib import Path

    from streamsep.models.architectures import Network
    from streamsep.models.checkpoints.safetensors_file import SafetensorsFile

__all__ = ["CheckpointHeader", "build_streamsep", "read_header", "save_checkpoint"]

_KEY = "streamsep"
_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointHeader:
    """What a file says about its weights.

    Attributes:
        architecture: name of the network's architecture, not yet checked.
        config: options of the architecture, by name, not yet checked.
        sources: names of the stems.
        sample_rate: samples per second.
        licence: terms of the weights.
        training: what they were trained on and how.
    """

    architecture: str
    config: dict[str, Any]
    sources: tuple[str, ...]
    sample_rate: int
    licence: str
    training: str


def save_checkpoint(
    network: Network,
    path: Path,
    *,
    licence: str,
    training: str,
    dtype: Literal["fp16", "fp32"] = "fp32",
) -> None:
    """Write a network, whole or not at all.

    Args:
        network: the network; its weights may be on any device.
        path: the file to write; one that is there is replaced.
        licence: terms of the weights.
        training: one line about the training.
        dtype: element type in the file. fp16 halves the file, loading turns it back into float32.

    Raises:
        CheckpointError: a weight is not finite, or too large for fp16.
        OutputError: the file cannot be written.
    """
    target = torch.float16 if dtype == "fp16" else torch.float32
    tensors = {}
    for name, weight in network.state_dict().items():
        kind = target if weight.is_floating_point() else weight.dtype
        tensors[name] = weight.detach().to("cpu", kind).contiguous()
        if not tensors[name].isfinite().all():
            raise CheckpointError(f"cannot save {path}: {name} is not finite as {dtype}")
    header = {
        "format": _FORMAT,
        "architecture": architecture_of(network).name,
        "config": dataclasses.asdict(network.config),
        "sources": network.sources,
        "sample_rate": network.sample_rate,
        "licence": licence,
        "training": training,
    }
    try:
        with whole_file(path) as part:
            # Not save_file: its files are for the owner's eyes only, whatever the umask says.
            part.write_bytes(save(tensors, metadata={_KEY: json.dumps(header)}))
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(f"cannot write {path}: {reason}") from error


def read_header(path: Path) -> CheckpointHeader | None:
    """Read what a file of our format says about its weights, without reading them.

    Returns:
        The header, or None if the file is of another format.

    Raises:
        CheckpointError: the header is damaged or from a newer streamsep, in one line that names
            the file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(_KEY)
    except Exception:  # noqa: BLE001, safetensors has one error class per version and OS
        return None
    try:
        return None if text is None else _parse(text)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None


def build_streamsep(file: SafetensorsFile) -> ReadCheckpoint:
    """Load a file of our format.

    Raises:
        CheckpointError: it does not hold what its header says.
    """
    header = _parse(file.metadata[_KEY])
    config = check_config(header.config, header.architecture)
    if (config.sources, config.sample_rate) != (header.sources, header.sample_rate):
        raise CheckpointError("the header contradicts its own configuration")
    return ReadCheckpoint(
        network=assemble(empty_network(config, file.size), file.weights),
        file_format="streamsep",
        stored_as=element_types(file.weights.values()),
        licence=header.licence,
        training=header.training,
    )


def _parse(text: str) -> CheckpointHeader:
    try:
        content = json.loads(text)
        if content["format"] > _FORMAT:
            raise CheckpointError(
                f"format {content['format']!r:.20}, this streamsep reads up to {_FORMAT}; upgrade"
            )
        return CheckpointHeader(
            architecture=str(content["architecture"]),
            config=dict(content["config"]),
            sources=tuple(str(name) for name in content["sources"]),
            sample_rate=int(content["sample_rate"]),
            licence=str(content["licence"]),
            training=str(content["training"]),
        )
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"the streamsep header is damaged ({type(error).__name__}: {error})"
        ) from None
