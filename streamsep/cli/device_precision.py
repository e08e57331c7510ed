"""--precision of the commands that play live: how exactly the device computes."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

import typer

__all__ = [
    "DevicePrecision",
    "PrecisionChoice",
    "faster_precision",
    "precision_of_weights",
]


class DevicePrecision(StrEnum):
    """Values of --precision."""

    FLOAT32 = "float32"
    TF32 = "tf32"
    BFLOAT16 = "bfloat16"


PrecisionChoice = Annotated[
    DevicePrecision | None,
    typer.Option(
        "--precision",
        help="How exactly the network computes; tf32 exists on CUDA devices. On a GPU only "
        "together with --exact, which is what 'serve' does there by itself.",
        show_default="as the network was made to",
    ),
]


def precision_of_weights(
    precision: DevicePrecision | None, device: str
) -> Literal["float32", "bfloat16"] | None:
    """What the weights have to be tuned to for that; None for as they were made.

    A CPU computes with tuned weights, as exactly as they are. Elsewhere they stay, and whoever runs
    the network is told how.

    Args:
        precision: as it was typed.
        device: what computes.

    Raises:
        ConfigError: the processor does not have the precision.
    """
    if device != "cpu":
        return None
    import torch

    from streamsep.devices.precision import check_precision

    if precision is not None:
        check_precision(precision.value, torch.device(device))
    return "bfloat16" if precision is DevicePrecision.BFLOAT16 else "float32"


def faster_precision(device: str, precision: str | None) -> str | None:
    """What to type for a followed network to compute faster than it does, if there is anything.

    Args:
        device: what computes.
        precision: how exactly it did; None for as it was made to.
    """
    if device != "cpu" or precision == DevicePrecision.BFLOAT16:
        return None
    from streamsep.models.tuned import has_bfloat16

    return f"--precision {DevicePrecision.BFLOAT16}" if has_bfloat16() else None
