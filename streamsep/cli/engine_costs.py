"""Where engines keep how fast they are, and what that is true of."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from streamsep.measuring import KeptHopCosts
    from streamsep.models import LoadedModel

__all__ = ["engine_costs"]


def engine_costs(
    network: LoadedModel,
    cache_dir: Path | None,
    *,
    precision: str | None,
    anew: bool = False,
) -> KeptHopCosts:
    """What engines with a network, where it is and as torch is set up, have measured.

    Args:
        network: on its device.
        cache_dir: folder of downloaded networks, the default one if None; they lie below it.
        precision: how exactly the network computes; None for as it was made to.
        anew: what was kept before this moment is not believed.
    """
    import torch

    from streamsep.measuring import KeptHopCosts, Setup, fingerprint, this_machine
    from streamsep.measuring.device import device_name
    from streamsep.models.places import default_cache_dir

    setup = Setup(
        machine=this_machine(),
        device=device_name(network.device),
        threads=torch.get_num_threads(),
        precision=precision,
        network=network.name,
        files=fingerprint(network.files),
    )
    return KeptHopCosts((cache_dir or default_cache_dir()) / "hops", setup, anew=anew)
