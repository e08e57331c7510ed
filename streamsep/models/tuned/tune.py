"""From a network to the same network, tuned to this processor where that can be done."""

from __future__ import annotations

import logging
import platform
from typing import TYPE_CHECKING

import torch

from streamsep.devices.allocator import keep_freed_memory
from streamsep.models.hybrid_demucs import HybridDemucs
from streamsep.models.tuned.hybrid import TunedHybridDemucs
from streamsep.models.tuned.precision import check_precision

if TYPE_CHECKING:
    from streamsep.models.architectures import Network

__all__ = ["tune"]

logger = logging.getLogger(__name__)


def tune(network: Network, precision: str) -> Network | TunedHybridDemucs:
    """The same network, tuned to the processor; or itself, where there is no way to.

    Args:
        network: on the processor, in evaluation mode. It gives its convolutions away and must not
            be used any more, if something else is returned.
        precision: one of `PRECISIONS`.

    Raises:
        ConfigError: there is no such precision.
    """
    chosen = check_precision(precision)
    if (
        isinstance(network, HybridDemucs)
        and TunedHybridDemucs.fits(network.config)
        and _has_onednn()
    ):
        tuned = TunedHybridDemucs(network, getattr(torch, chosen), consume=True)
        keep_freed_memory()
        return tuned
    if precision == "bfloat16":
        logger.warning(
            "%s computes in float32: bfloat16 on the processor is for Hybrid Demucs on x86",
            type(network).__name__,
        )
    return network


def _has_onednn() -> bool:
    """Whether torch computes convolutions with oneDNN here, and as was measured."""
    available: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return available and platform.machine() in ("x86_64", "AMD64")
