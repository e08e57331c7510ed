"""Trying a network out: what would go wrong on stage is to go wrong when it is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from streamsep.devices.out_of_memory import is_out_of_memory
from streamsep.errors import ModelError

if TYPE_CHECKING:
    from streamsep.engine import Separator

__all__ = ["try_silence"]


def try_silence(
    separator: Separator, length: int, device: torch.device, *, name: str, batch: int = 1
) -> None:
    """Separate silence and look at what comes out.

    Args:
        separator: what shall be tried.
        length: samples of silence.
        device: where the silence lies.
        name: what the message calls the separator.
        batch: how many examples at once.

    Raises:
        ModelError: there is no memory for it, or what comes out is not float32 [B, S, C, T], or
            not finite. Whatever else the separator raises, it raises.
    """
    expected = (batch, len(separator.sources), separator.channels, length)
    stems = _separated(separator, length, device, name=name, batch=batch)
    if not isinstance(stems, Tensor):
        raise ModelError(f"{name}: got a {type(stems).__name__}, expected a tensor of stems")
    if stems.shape != expected or stems.dtype != torch.float32:
        raise ModelError(
            f"{name}: got {str(stems.dtype).removeprefix('torch.')} {list(stems.shape)} for "
            f"{length} samples of silence, expected float32 [B, S, C, T] = {list(expected)}"
        )
    if not torch.isfinite(stems).all():
        raise ModelError(
            f"{name}: the estimates of {length} samples of silence are not finite; does the "
            "network divide by the loudness of its input?"
        )


def _separated(
    separator: Separator, length: int, device: torch.device, *, name: str, batch: int
) -> object:
    try:
        silence = torch.zeros(batch, separator.channels, length, device=device)
        with torch.inference_mode():
            return separator(silence)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise ModelError(
            f"{name}: there is not enough memory to try it on {length} samples of silence; make "
            "room, or use a network of shorter segments"
        ) from error
