"""The one way in: any file of weights, recognised by its bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safetensors import safe_open

from streamsep.errors import CheckpointError
from streamsep.models.checkpoints.demucs_package import (
    build_demucs,
    build_demucs_safetensors,
    is_demucs,
)
from streamsep.models.checkpoints.streamsep_format import build_streamsep
from streamsep.models.checkpoints.torch_file import TorchFile
from streamsep.models.checkpoints.torchaudio_bundle import build_torchaudio, is_torchaudio

if TYPE_CHECKING:
    from pathlib import Path

    from streamsep.models.architectures import Network

__all__ = ["load_checkpoint"]

_EXPECTED = (
    "expected a network as streamsep's .safetensors, or Hybrid Demucs as demucs' .safetensors or "
    ".th or torchaudio's .pt"
)


def load_checkpoint(path: Path) -> Network:
    """Load a network from a file, without running anything that is in the file.

    Args:
        path: weights of any network as streamsep's safetensors, or of Hybrid Demucs as demucs'
            safetensors or `.th` or torchaudio's `.pt`. The name does not matter.

    Returns:
        The network on the CPU in float32, in evaluation mode.

    Raises:
        CheckpointError: the file is missing, damaged, foreign or unsafe.
    """
    try:
        return _load(path)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error})") from error
    except Exception as error:
        # Damaged pickles and archives raise nearly everything there is, and say so in their
        # documentation. Whatever it was, the user's file is at fault.
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise CheckpointError(
            f"{path}: damaged or foreign ({reason:.120}), {_EXPECTED}; delete it and fetch it again"
        ) from error


def _load(path: Path) -> Network:
    if not path.is_file():
        raise CheckpointError(f"no such file, {_EXPECTED}")
    with path.open("rb") as stream:
        start = stream.read(9)
    # Zip archives begin with PK, bare pickles of protocol 2 with 80 02; safetensors with the
    # length of a JSON object.
    if start.startswith((b"PK\x03\x04", b"\x80\x02")):
        return _load_torch(path)
    if len(start) == 9 and start.endswith(b"{"):
        return _load_safetensors(path)
    raise CheckpointError(f"not a file of weights (it begins with {start!r}), {_EXPECTED}")


def _load_torch(path: Path) -> Network:
    with TorchFile(path) as file:
        if is_demucs(file.content):
            return build_demucs(file)
        if is_torchaudio(file.content):
            return build_torchaudio(file)
    raise CheckpointError(f"a file of torch.save with something else in it, {_EXPECTED}")


def _load_safetensors(path: Path) -> Network:
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
    if "streamsep" in metadata:
        return build_streamsep(path)
    if {"klass", "args", "kwargs"} <= metadata.keys():
        return build_demucs_safetensors(path, metadata)
    raise CheckpointError(f"safetensors without a description of the network, {_EXPECTED}")
