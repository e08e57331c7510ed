"""How exactly a device computes, by choice.

========  ===============================================================================
float32   nothing is rounded but the results
tf32      CUDA: factors of matrix products and convolutions keep 10 bits of their mantissa
bfloat16  products keep 7 bits, and what is stored between them too; sums stay float32
========  ===============================================================================

Without a choice the separator computes as it was made to.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch

from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "PRECISION_NAMES",
    "Precision",
    "arithmetic",
    "changes_arithmetic",
    "check_precision",
]

Precision = Literal["float32", "tf32", "bfloat16"]
"""Name of a way to compute."""

PRECISION_NAMES: tuple[Precision, ...] = get_args(Precision)


def check_precision(precision: str | None, device: torch.device) -> Precision | None:
    """The precision of a name, once it is known that the device has it.

    Raises:
        ConfigError: there is no such precision, or not on this device.
    """
    if precision is None:
        return None
    for name in PRECISION_NAMES:
        if name == precision:
            if name == "tf32" and device.type != "cuda":
                raise ConfigError(
                    f"precision tf32 exists on CUDA devices only, got device '{device}'; "
                    "take float32 or bfloat16"
                )
            return name
    raise ConfigError(f"unknown precision '{precision}', expected {', '.join(PRECISION_NAMES)}")


def changes_arithmetic(precision: str | None, device: torch.device) -> bool:
    """Whether `arithmetic` makes a device compute in another way than without a choice."""
    as_ever = precision != "bfloat16" and device.type != "cuda"
    return precision is not None and not as_ever


@contextmanager
def arithmetic(precision: Precision | None, device: torch.device) -> Iterator[None]:
    """Compute like this as long as the context lasts.

    What CUDA does with float32 is a matter of the process, so other threads that compute on a CUDA
    device at the same moment are affected.
    """
    if not changes_arithmetic(precision, device):
        yield
    elif precision == "bfloat16":
        # Without the cache: a graph must not hold on to weights that were cast before it began.
        with torch.autocast(device.type, dtype=torch.bfloat16, cache_enabled=False):
            yield
    else:
        with _float32_of_cuda("ieee" if precision == "float32" else "tf32"):
            yield


@contextmanager
def _float32_of_cuda(wanted: str) -> Iterator[None]:
    cudnn: Any = torch.backends.cudnn
    places: tuple[Any, ...] = (torch.backends.cuda.matmul, cudnn.conv, cudnn.rnn)
    before = [place.fp32_precision for place in places]
    try:
        for place in places:
            place.fp32_precision = wanted
        yield
    finally:
        for place, precision in zip(places, before, strict=True):
            place.fp32_precision = precision
