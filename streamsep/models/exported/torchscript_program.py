"""Programs of TorchScript: `torch.jit.save`, deprecated in torch and still everywhere.

Nothing in such a file is Python, and torch reads it without unpickling Python objects. Its language
has loops and a few operators that read and write files, so it can hang or touch what the user may
touch: a program is to be trusted like a program.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import torch

from streamsep.errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

__all__ = ["TorchScriptProgram"]


class TorchScriptProgram:
    """A file of `torch.jit.save`, loaded.

    Args:
        path: the file.
        device: where it shall compute.

    Raises:
        CheckpointError: the file is damaged or of another kind.
    """

    def __init__(self, path: Path, device: torch.device) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                self._module = torch.jit.load(  # type: ignore[no-untyped-call]
                    str(path), map_location=device
                ).eval()
        except (RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise CheckpointError(
                f"{path}: no program of TorchScript ({reason:.120}); export it again with "
                "torch.jit.save, or correct the description's key 'format'"
            ) from error
        for parameter in self._module.parameters():
            parameter.requires_grad_(False)

    @property
    def input_shape(self) -> None:
        """Unknown: the file holds code, not shapes."""

    def __call__(self, mix: Tensor) -> object:
        """Run it, the same way every time.

        The optimiser would measure a few runs and then rewrite the program, whose estimates would
        then differ in their last bits from the first ones.
        """
        with torch.jit.optimized_execution(False):  # type: ignore[attr-defined]
            return self._module(mix)
