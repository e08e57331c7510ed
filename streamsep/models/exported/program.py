"""What is common to programs of all formats: a call, and what the file says of its input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from streamsep.devices.out_of_memory import is_out_of_memory
from streamsep.errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import Tensor

    from streamsep.config.network_description import ProgramFormat

__all__ = ["Program", "open_program"]


class Program(Protocol):
    """A network that somebody exported: a function of one tensor."""

    @property
    def input_shape(self) -> tuple[int | None, ...] | None:
        """Its input's dimensions, None for one of any size; None if the file does not say."""

    def __call__(self, mix: Tensor) -> object:
        """Run it; what comes out should be one tensor, but nobody has checked."""


def open_program(path: Path, kind: ProgramFormat, device: torch.device) -> Program:
    """Load a program for a device.

    Args:
        path: the file.
        kind: what kind of program it holds.
        device: where it shall compute.

    Raises:
        CheckpointError: the file is missing, damaged, of another kind or unsafe, or there is no
            memory for it.
        MissingToolError: onnxruntime is needed and not installed.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file; correct the description's key 'file'")
    try:
        return _opened(path, kind, device)
    except CheckpointError as error:
        if not is_out_of_memory(error):
            raise
        # Whatever it was read with blames the file.
        raise CheckpointError(
            f"{path}: there is not enough memory to load it; make room, or take a smaller network"
        ) from error


def _opened(path: Path, kind: ProgramFormat, device: torch.device) -> Program:
    if kind == "onnx":
        from streamsep.models.exported.onnx_program import OnnxProgram

        return OnnxProgram(path, device)
    if kind == "torchscript":
        from streamsep.models.exported.torchscript_program import TorchScriptProgram

        return TorchScriptProgram(path, device)
    from streamsep.models.exported.torch_export_program import TorchExportProgram

    return TorchExportProgram(path, device)
