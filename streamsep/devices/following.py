"""Which devices follow live streams hop by hop, unless they are told otherwise."""

from __future__ import annotations

__all__ = ["follows_streams"]


def follows_streams(device: str, incremental: bool | None) -> bool:
    """Whether a stream keeps from hop to hop what it can; by itself on a CPU.

    Elsewhere whole segments are cheap, and are computed for several streams at once.

    Args:
        device: what computes.
        incremental: what was asked for, if anything was.
    """
    return device.partition(":")[0] == "cpu" if incremental is None else incremental
