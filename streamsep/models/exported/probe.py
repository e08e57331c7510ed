"""Finding out at once what would otherwise be found out on stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from streamsep.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from streamsep.engine import Separator

__all__ = ["torch_device", "try_silence"]


def torch_device(device: str | torch.device) -> torch.device:
    """The device of a name, once it has been shown to be there.

    Raises:
        ConfigError: it cannot be used.
    """
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:
        # torch raises either for a device that it was not built for or that is not there.
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"device '{device}' cannot be used here: {reason}") from error


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
        ModelError: what comes out is not float32 [B, S, C, T], or not finite. Whatever the
            separator raises, it raises.
    """
    silence = torch.zeros(batch, separator.channels, length, device=device)
    expected = (batch, len(separator.sources), separator.channels, length)
    with torch.inference_mode():
        stems: object = separator(silence)
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
