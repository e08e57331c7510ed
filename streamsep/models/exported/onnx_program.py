"""Programs of ONNX, run by onnxruntime.

An ONNX file is a graph of operators from a fixed list: reading it runs nothing, and there is no
operator that touches files. onnxruntime is an optional package.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING, Any

import torch

from streamsep.errors import CheckpointError, MissingToolError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

__all__ = ["OnnxProgram"]

logger = logging.getLogger(__name__)

_CUDA = "CUDAExecutionProvider"
_CPU = "CPUExecutionProvider"


class OnnxProgram:
    """An ONNX file, loaded.

    Args:
        path: the file.
        device: where it shall compute. Where onnxruntime cannot use it, the program runs on the
            CPU and a warning says so.

    Raises:
        CheckpointError: the file is damaged, of another kind, or has not one input and output.
        MissingToolError: onnxruntime is not installed.
    """

    def __init__(self, path: Path, device: torch.device) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingToolError(
                f"{path} is an ONNX program and onnxruntime is not installed; "
                "'uv sync --inexact --extra onnx' installs it"
            ) from error
        self._onnxruntime: Any = onnxruntime
        self._path = path
        self._providers = _providers(onnxruntime, path, device)
        self._reopening = threading.Lock()
        self._open()
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1 or inputs[0].type != "tensor(float)":
            got = ", ".join(f"{each.name}: {each.type}" for each in inputs)
            raise CheckpointError(
                f"{path}: inputs ({got}) and {len(outputs)} outputs, expected one of each: "
                "audio as tensor(float) in, stems out; export a network of one argument"
            )
        self._input = inputs[0]
        self._output = outputs[0].name

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """Its input's dimensions, None for one of any size."""
        return tuple(size if isinstance(size, int) else None for size in self._input.shape)

    def __call__(self, mix: Tensor) -> object:
        """Run it on the mix, wherever that lies; the stems come back there."""
        feed = {self._input.name: mix.cpu().contiguous().numpy()}
        with self._reopening:
            # A fork has none of the threads that the session began, and may be granted more.
            if os.getpid() != self._process:
                self._open()
            session = self._session
        (stems,) = session.run([self._output], feed)
        return torch.from_numpy(stems).to(mix.device)

    def _open(self) -> None:
        try:
            self._session = self._onnxruntime.InferenceSession(
                str(self._path), _options(self._onnxruntime), providers=self._providers
            )
        except Exception as error:
            # onnxruntime has a class of error for every reason, and none of them is public.
            reason = " ".join(str(error).split())
            raise CheckpointError(
                f"{self._path}: no ONNX program that can be run ({reason:.160}); export it again"
            ) from error
        self._process = os.getpid()


def _options(onnxruntime: Any) -> Any:
    options = onnxruntime.SessionOptions()
    # As many threads as torch was granted. Waiting, they sleep: between two segments of a live
    # stream other work needs the processor.
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors; they come back as exceptions too
    return options


def _providers(onnxruntime: Any, path: Path, device: torch.device) -> list[Any]:
    if device.type == "cpu":
        return [_CPU]
    if device.type == "cuda" and _CUDA in onnxruntime.get_available_providers():
        return [(_CUDA, {"device_id": device.index or 0}), _CPU]
    logger.warning(
        "%s is run on the CPU: the onnxruntime that is installed here cannot use %s", path, device
    )
    return [_CPU]
