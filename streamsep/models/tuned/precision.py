"""How exactly a tuned network computes on the processor, by choice.

========  =====================================================================================
float32   nothing is rounded but the results
bfloat16  factors of convolutions and LSTMs keep 7 bits of their mantissa, and so does what is
          stored between them; spectrograms, attention and statistics stay float32
auto      bfloat16 where the processor has instructions for it, else float32
========  =====================================================================================
"""

from __future__ import annotations

from typing import Literal, get_args

from streamsep.errors import ConfigError

__all__ = ["TUNED_PRECISIONS", "TunedPrecision", "has_bfloat16", "tuned_precision"]

TunedPrecision = Literal["float32", "bfloat16", "auto"]
"""Name of a way to compute."""

TUNED_PRECISIONS: tuple[TunedPrecision, ...] = get_args(TunedPrecision)

_INSTRUCTIONS = ("avx512_bf16", "amx_bf16")


def tuned_precision(precision: str) -> Literal["float32", "bfloat16"]:
    """The precision that a name means on this machine.

    A processor without instructions for bfloat16 can be told to use it all the same: it then
    computes what others would, slowly.

    Raises:
        ConfigError: there is no such precision.
    """
    if precision not in TUNED_PRECISIONS:
        raise ConfigError(
            f"unknown precision '{precision}', expected {', '.join(TUNED_PRECISIONS)}"
        )
    if precision == "auto":
        precision = "bfloat16" if has_bfloat16() else "float32"
    return "bfloat16" if precision == "bfloat16" else "float32"


def has_bfloat16() -> bool:
    """Whether this processor has instructions for products in bfloat16."""
    import torch

    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in _INSTRUCTIONS)
