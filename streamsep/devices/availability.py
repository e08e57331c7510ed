"""Whether a device can be used: knowing it beforehand, and saying in one line why not."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from streamsep.devices.out_of_memory import is_out_of_memory
from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["torch_device", "unusable_in_one_line"]


def torch_device(device: str | torch.device) -> torch.device:
    """The device of a name, once it has been shown to be there.

    Raises:
        ConfigError: it cannot be used.
    """
    with unusable_in_one_line(device):
        return torch.empty(0, device=device).device


@contextmanager
def unusable_in_one_line(device: str | torch.device) -> Iterator[None]:
    """Say in one line why something cannot be put on a device.

    Raises:
        ConfigError: the device is not there, torch was not built for it, or its memory is full.
    """
    try:
        yield
    except (RuntimeError, AssertionError, MemoryError) as error:
        # torch raises either of the first two for a device that is not there.
        if is_out_of_memory(error):
            raise ConfigError(
                f"device '{device}' has no memory left for this network; close other programs "
                "that use it, or take a smaller network or another device"
            ) from error
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"device '{device}' cannot be used here: {reason}") from error
