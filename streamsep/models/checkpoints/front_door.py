"""The one way in: any file of weights, recognised by its bytes."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

from streamsep.devices.out_of_memory import is_out_of_memory
from streamsep.errors import CheckpointError, MissingToolError, OutputError
from streamsep.models.checkpoints.compressed import GZIP_MAGIC, unpacked
from streamsep.models.checkpoints.demucs_package import (
    build_demucs,
    build_demucs_safetensors,
    is_demucs,
)
from streamsep.models.checkpoints.demucs_state import build_demucs_state, is_demucs_state
from streamsep.models.checkpoints.open_unmix_files import (
    build_open_unmix,
    is_open_unmix,
    join_stem_files,
)
from streamsep.models.checkpoints.safetensors_file import SafetensorsFile
from streamsep.models.checkpoints.streamsep_format import build_streamsep
from streamsep.models.checkpoints.torch_file import TorchFile
from streamsep.models.checkpoints.torchaudio_bundle import build_torchaudio, is_torchaudio

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from streamsep.models.architectures import Network
    from streamsep.models.checkpoints.assembly import ReadCheckpoint

__all__ = ["load_checkpoint", "read_checkpoint", "read_stem_files"]

_EXPECTED = (
    "expected a network as streamsep's .safetensors, demucs' .th, .th.gz or .safetensors, "
    "torchaudio's .pt of Hybrid Demucs, or openunmix' .pth"
)


def load_checkpoint(path: Path) -> Network:
    """Load a network from a file, without running anything that is in the file.

    Args:
        path: weights in any format that `read_checkpoint` knows. The name does not matter, save
            that openunmix' files are named after their stem.

    Returns:
        The network on the CPU in float32, in evaluation mode.

    Raises:
        CheckpointError: the file is missing, damaged, foreign or unsafe, or the memory is full.
        OutputError: the file is compressed, and there is no room to unpack it.
    """
    return read_checkpoint(path).network


def read_checkpoint(path: Path) -> ReadCheckpoint:
    """Load a network from a file, and what the file says about it.

    Args:
        path: streamsep's safetensors; demucs' packages of v1 to v4, gzip'ed or not, quantised by
            diffq or not, and v2's bare weights; torchaudio's Hybrid Demucs; openunmix' weights.

    Raises:
        CheckpointError: the file is missing, damaged, foreign or unsafe, or the memory is full.
        OutputError: the file is compressed, and there is no room to unpack it.
    """
    with _one_line(path):
        return _read(path)


def read_stem_files(paths: Sequence[Path]) -> ReadCheckpoint:
    """Load a network whose stems lie in files of their own, as openunmix publishes them.

    Args:
        paths: the files; their names begin with the stem's. The network has its stems in their
            order.

    Raises:
        CheckpointError: one of the files is missing, damaged, foreign or unsafe.
    """
    for path in paths:
        with _one_line(path):
            _check_regular(path)
    with _one_line(paths[0].parent):
        return join_stem_files(paths)


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    """Turn whatever reading a file raises into one line that names it."""
    try:
        yield
    except (CheckpointError, MissingToolError, OutputError) as error:
        raise type(error)(f"{path}: {error}") from error.__cause__
    except Exception as error:
        if is_out_of_memory(error):
            raise CheckpointError(
                f"{path}: there is not enough memory to load it; make room, or take a smaller "
                "network"
            ) from error
        if isinstance(error, OSError):
            raise CheckpointError(f"{path}: cannot be read ({error.strerror or error})") from error
        # Damaged pickles and archives raise nearly everything there is, and say so in their
        # documentation. Whatever it was, the user's file is at fault.
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise CheckpointError(
            f"{path}: damaged or foreign ({reason:.120}), {_EXPECTED}; delete it and fetch it again"
        ) from error


def _check_regular(path: Path) -> None:
    """Reading from a pipe or a device could wait, or go on, for ever."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise CheckpointError(f"no such file, {_EXPECTED}") from None
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "no regular file"
        raise CheckpointError(f"it is {kind}, {_EXPECTED}")


def _read(path: Path) -> ReadCheckpoint:
    _check_regular(path)
    with path.open("rb") as stream:
        start = stream.read(9)
    # Zip archives begin with PK, bare pickles of protocol 2 with 80 02; safetensors with the
    # length of a JSON object.
    if start.startswith((b"PK\x03\x04", b"\x80\x02")):
        with TorchFile(path) as file:
            return _read_torch(file, path)
    if start.startswith(GZIP_MAGIC):
        with path.open("rb") as packed:
            plain = unpacked(packed, os.fstat(packed.fileno()).st_size)
        with TorchFile(plain) as file:
            return _read_torch(file, path)
    if len(start) == 9 and start.endswith(b"{"):
        with SafetensorsFile(path) as weights:
            return _read_safetensors(weights)
    raise CheckpointError(f"not a file of weights (it begins with {start!r}), {_EXPECTED}")


def _read_torch(file: TorchFile, path: Path) -> ReadCheckpoint:
    if is_demucs(file.content):
        return build_demucs(file)
    if is_torchaudio(file.content):
        return build_torchaudio(file)
    if is_demucs_state(file.content):
        return build_demucs_state(file)
    if is_open_unmix(file.content):
        return build_open_unmix(file, path)
    raise CheckpointError(f"a file of torch.save with something else in it, {_EXPECTED}")


def _read_safetensors(file: SafetensorsFile) -> ReadCheckpoint:
    if "streamsep" in file.metadata:
        return build_streamsep(file)
    if {"klass", "args", "kwargs"} <= file.metadata.keys():
        return build_demucs_safetensors(file)
    raise CheckpointError(f"safetensors without a description of the network, {_EXPECTED}")
