"""Programs of `torch.export`: `torch.export.save`, files that end in .pt2."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from streamsep.errors import CheckpointError
from streamsep.models.exported.export_archive import check_archive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import Tensor
    from torch.export import ExportedProgram

__all__ = ["TorchExportProgram"]


class TorchExportProgram:
    """A file of `torch.export.save`, loaded after it was looked through.

    Args:
        path: the file.
        device: where it shall compute.

    Raises:
        CheckpointError: the file is damaged, of another kind, or holds what could run as Python.
    """

    def __init__(self, path: Path, device: torch.device) -> None:
        check_archive(path)
        try:
            with _without_torchs_own_report(), path.open("rb") as stream:
                program = torch.export.load(stream)
                if device.type != "cpu":
                    from torch.export.passes import move_to_device_pass

                    program = move_to_device_pass(program, device)
                self._module = program.module().requires_grad_(False)
        except Exception as error:
            # Whatever reading JSON and building graphs can raise, the file is at fault.
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise CheckpointError(
                f"{path}: no program that this torch ({torch.__version__}) can load "
                f"({reason:.160}); export it again"
            ) from error
        self._input_shape = _shape(program)

    @property
    def input_shape(self) -> tuple[int | None, ...] | None:
        """Its input's dimensions, None for one of any size."""
        return self._input_shape

    def __call__(self, mix: Tensor) -> object:
        """Run it."""
        return self._module(mix)


@contextmanager
def _without_torchs_own_report() -> Iterator[None]:
    """Keep quiet what torch prints: our message is one line, and this would be a page before it."""
    loggers = [
        logging.getLogger(name) for name in ("torch.export", "torch._export.serde.serialize")
    ]
    were = [logger.disabled for logger in loggers]
    try:
        for logger in loggers:
            logger.disabled = True
        with warnings.catch_warnings():
            # torch maps the weights, and warns that nobody may write to them.
            warnings.simplefilter("ignore", UserWarning)
            yield
    finally:
        for logger, was in zip(loggers, were, strict=True):
            logger.disabled = was


def _shape(program: ExportedProgram) -> tuple[int | None, ...] | None:
    inputs = program.graph_signature.user_inputs
    for node in program.graph.nodes:
        if node.op == "placeholder" and node.name in inputs:
            value = node.meta.get("val")
            if isinstance(value, torch.Tensor):
                return tuple(size if isinstance(size, int) else None for size in value.shape)
    return None
