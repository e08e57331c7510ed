"""From a device to its executor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamsep.devices.cuda import CudaExecutor
from streamsep.devices.executor import PlainExecutor
from streamsep.devices.fallback import FallbackExecutor
from streamsep.devices.precision import check_precision
from streamsep.errors import ConfigError

if TYPE_CHECKING:
    import torch

    from streamsep.devices.executor import Executor, Separate

__all__ = ["make_executor"]


def make_executor(
    separate: Separate,
    device: torch.device,
    *,
    precision: str | None = None,
    largest_batch: int = 8,
) -> Executor:
    """What computes on a device.

    Args:
        separate: [B, C, T] to [B, S, C, T], both on the device.
        device: the processor, a CUDA device, or another one of torch's.
        precision: ``float32``, ``tf32`` (CUDA), ``bfloat16``, or None to leave it to the separator.
        largest_batch: segments to compute together, where that gains anything.

    Raises:
        ConfigError: the device does not have this precision, or the batch is below 1.
    """
    if largest_batch < 1:
        raise ConfigError(f"the largest batch must be at least 1, got {largest_batch}")
    chosen = check_precision(precision, device)
    if device.type == "cpu":
        return PlainExecutor(separate, device, precision=chosen)
    if device.type == "cuda":
        return CudaExecutor(separate, device, precision=chosen, largest_batch=largest_batch)
    return FallbackExecutor(separate, device, precision=chosen)
