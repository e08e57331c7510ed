"""demucs' packages: the class of the network, its arguments, its weights.

Four layouts exist. v1 pickled a tuple of the four; v2 and v3 a dictionary, and the newest demucs
writes safetensors whose metadata hold the same as JSON. The weights that v2 offered for download
are bare (`demucs_state`). In any of these the weights may be quantised (`diffq`). The class is
never imported: its arguments are translated into our configuration (`demucs_classes`). What means
something that we cannot build is refused, because the network would sound wrong.
"""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

from streamsep.errors import CheckpointError
from streamsep.models.checkpoints.assembly import (
    ReadCheckpoint,
    StoredWeight,
    assemble,
    element_types,
    empty_network,
)
from streamsep.models.checkpoints.compressed import unpacked
from streamsep.models.checkpoints.demucs_classes import find_class
from streamsep.models.checkpoints.diffq import is_quantised, restored_weights
from streamsep.models.checkpoints.restricted_unpickler import ForeignClass, StoredTensor
from streamsep.models.checkpoints.torch_file import TorchFile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streamsep.models.architectures import Network
    from streamsep.models.checkpoints.safetensors_file import SafetensorsFile

    Describe = Callable[[Any], Any]

__all__ = ["build_demucs", "build_demucs_safetensors", "build_state", "is_demucs"]

_PACKAGE = "demucs package"


def is_demucs(content: object) -> bool:
    """Whether what was saved looks like a package of demucs."""
    if isinstance(content, dict):
        return {"klass", "kwargs", "state"} <= content.keys()
    return isinstance(content, tuple) and len(content) == 4 and isinstance(content[0], ForeignClass)


def build_demucs(file: TorchFile) -> ReadCheckpoint:
    """Load a pickled package.

    Raises:
        CheckpointError: it holds another network, or one with options that we lack.
    """
    content = file.content
    if isinstance(content, tuple):
        klass, args, kwargs, state = content
    else:
        klass, kwargs, state = content["klass"], content["kwargs"], content["state"]
        args = content.get("args", ())
    name = klass.name if isinstance(klass, ForeignClass) else type(klass).__name__
    return _build(name, args, kwargs, state, file)


def build_demucs_safetensors(file: SafetensorsFile) -> ReadCheckpoint:
    """Load a package in safetensors.

    Args:
        file: its metadata hold demucs' entries `klass`, `args` and `kwargs`, and `structure` if
            its weights are quantised.

    Raises:
        CheckpointError: as `build_demucs`.
    """
    metadata = file.metadata
    kind = find_class(metadata["klass"], *_arguments(metadata))
    network = empty_network(kind.configure(*_arguments(metadata)), file.size)
    if "structure" in metadata:
        state = _unflattened(json.loads(metadata["structure"]), file.weights)
        return _restored(network, state, kind.architecture)
    offered = {kind.rename(name): weight for name, weight in file.weights.items()}
    stored_as = element_types(offered.values())
    return ReadCheckpoint(
        network=assemble(network, offered), file_format=_PACKAGE, stored_as=stored_as
    )


def build_state(network: Network, state: Any, file: TorchFile, architecture: str) -> ReadCheckpoint:
    """Fill a network of demucs with weights that are under our names, or quantised.

    Args:
        network: from `empty_network`.
        state: weights by name, or what demucs makes of quantised ones.
        file: where they lie.
        architecture: our name for the network.

    Raises:
        CheckpointError: the weights do not fit.
    """
    if isinstance(state, dict) and isinstance(state.get("compressed"), bytes):
        packed = state["compressed"]
        with TorchFile(unpacked(io.BytesIO(packed), len(packed))) as inner:
            return _restored(network, _described(inner.content, inner.describe), architecture)
    if is_quantised(state):
        return _restored(network, _described(state, file.describe), architecture)
    offered = file.describe_all(state)
    stored_as = element_types(offered.values())
    return ReadCheckpoint(
        network=assemble(network, offered), file_format=_PACKAGE, stored_as=stored_as
    )


def _build(klass: str, args: Any, kwargs: Any, state: Any, file: TorchFile) -> ReadCheckpoint:
    kind = find_class(klass, args, kwargs)
    network = empty_network(kind.configure(args, kwargs), file.size)
    if isinstance(state, dict) and not is_quantised(state):
        state = {kind.rename(str(name)): value for name, value in state.items()}
    return build_state(network, state, file, kind.architecture)


def _restored(network: Network, state: Any, architecture: str) -> ReadCheckpoint:
    offered, stored_as = restored_weights(state, network, architecture)
    return ReadCheckpoint(
        network=assemble(network, offered), file_format=_PACKAGE, stored_as=stored_as
    )


def _described(node: Any, describe: Describe) -> Any:
    """The same containers with `StoredWeight` for the file's own way of describing a tensor."""
    if isinstance(node, StoredTensor):
        return describe(node)
    if isinstance(node, dict):
        return {key: _described(value, describe) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_described(value, describe) for value in node]
    return node


def _arguments(metadata: Mapping[str, str]) -> tuple[Any, Any]:
    args, kwargs = json.loads(metadata["args"]), json.loads(metadata["kwargs"])
    if not isinstance(args, list) or not isinstance(kwargs, dict):
        raise CheckpointError("the arguments of its class are damaged")
    return args, kwargs


def _unflattened(node: Any, weights: Mapping[str, StoredWeight]) -> Any:
    """What demucs turned into JSON to store a nested state: `{"_list": [...]}` and the like."""
    if not isinstance(node, dict):
        return node
    (kind, value), *more = node.items()
    if more:
        raise CheckpointError("the structure of its quantised weights is damaged")
    if kind == "_tensor":
        return weights[value]
    if kind == "_class":
        return ForeignClass(str(value))
    if kind == "_dict":
        return {key: _unflattened(item, weights) for key, item in value}
    if kind in ("_list", "_tuple"):
        return [_unflattened(item, weights) for item in value]
    raise CheckpointError("the structure of its quantised weights is damaged")
