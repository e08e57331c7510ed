"""The device that computes: its name and the memory that it has had to give."""

from __future__ import annotations

import torch

__all__ = ["device_name", "device_peak_bytes", "forget_device_peak"]


def device_name(device: str | torch.device) -> str:
    """What computes: an accelerator as its maker calls it, else the kind of device."""
    kind = torch.device(device).type
    return torch.cuda.get_device_name(device) if kind == "cuda" else kind


def forget_device_peak(device: str | torch.device) -> None:
    """Begin anew with the largest memory of an accelerator, where torch counts it."""
    if torch.device(device).type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def device_peak_bytes(device: str | torch.device) -> int | None:
    """The largest memory since `forget_device_peak`; None for a device without its own."""
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return None
