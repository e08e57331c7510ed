"""--precision of the commands that play live: how exactly the device computes."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

import typer

__all__ = ["DevicePrecision", "PrecisionChoice", "precision_of_weights"]


class DevicePrecision(StrEnum):
    """Values of --precision."""

    FLOAT32 = "float32"
    TF32 = "tf32"
    BFLOAT16 = "bfloat16"


PrecisionChoice = Annotated[
    DevicePrecision | None,
    typer.Option(
        "--precision",
        help="How exactly the network computes; tf32 exists on CUDA devices. Elsewhere than on "
        "a processor, for whole windows only.",
        show_default="as the network was made to",
    ),
]


def precision_of_weights(
    precision: DevicePrecision | None, device: str
) -> Literal["float32", "bfloat16"] | None:
    """What the weights have to be for that; None for as they were made.

    A processor computes as exactly as the weights are. Elsewhere they stay, and whoever runs the
    network is told how.

    Raises:
        ConfigError: the processor does not have the precision.
    """
    if device != "cpu" or precision is None:
        return None
    import torch

    from streamsep.devices.precision import check_precision

    check_precision(precision.value, torch.device(device))
    return "bfloat16" if precision is DevicePrecision.BFLOAT16 else "float32"
