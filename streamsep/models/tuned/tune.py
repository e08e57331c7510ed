"""From a network to the same network, tuned to this processor where that can be done."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch

from streamsep.devices.allocator import keep_freed_memory, return_freed_memory
from streamsep.models.hybrid_demucs import HybridDemucs
from streamsep.models.tuned.hybrid import TunedHybridDemucs
from streamsep.models.tuned.packed import has_onednn
from streamsep.models.tuned.precision import has_bfloat16, tuned_precision

if TYPE_CHECKING:
    from streamsep.models.architectures import Network

__all__ = ["tune", "tuned_beside"]

logger = logging.getLogger(__name__)


def tune(network: Network, precision: str) -> Network | TunedHybridDemucs:
    """The same network, tuned to the processor; or itself, where there is no way to.

    Args:
        network: on the processor, in evaluation mode. It gives its convolutions away and must not
            be used any more, if something else is returned.
        precision: one of `TUNED_PRECISIONS`.

    Raises:
        ConfigError: there is no such precision.
    """
    chosen = tuned_precision(precision)
    if (
        isinstance(network, HybridDemucs)
        and TunedHybridDemucs.fits(network.config)
        and has_onednn()
    ):
        if chosen == "bfloat16" and not has_bfloat16():
            logger.warning(
                "this processor has no instructions for bfloat16: it is slower than in float32"
            )
        # Weights get their last place in the first segment: they would lie among its tensors.
        return_freed_memory()
        return TunedHybridDemucs(
            network, getattr(torch, chosen), consume=True, settled=keep_freed_memory
        )
    if precision == "bfloat16":
        logger.warning(
            "%s computes in float32: bfloat16 on the processor is for Hybrid Demucs on x86",
            type(network).__name__,
        )
    return network


_BESIDE: WeakKeyDictionary[HybridDemucs, tuple[list[tuple[int, int]], TunedHybridDemucs]] = (
    WeakKeyDictionary()
)
_BESIDE_LOCK = threading.Lock()


def tuned_beside(network: HybridDemucs) -> TunedHybridDemucs:
    """The same network tuned in float32, beside the plain one, which stays; made once for each.

    Packed weights take as much memory again.

    Args:
        network: one that fits, in evaluation mode; if its weights have changed it is tuned anew.
    """
    weights = [
        (each.data_ptr(), 0 if each.is_inference() else each._version)
        for each in network.parameters()
    ]
    with _BESIDE_LOCK:  # several tracks begin at once
        known = _BESIDE.get(network)
        if known is None or known[0] != weights:
            known = weights, TunedHybridDemucs(network, torch.float32)
            _BESIDE[network] = known
        return known[1]
