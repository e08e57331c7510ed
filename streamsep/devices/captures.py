"""Captures of CUDA graphs that fail: known beforehand, or cleaned up after.

A capture that the device has to break off leaves torch 2.11 in the middle of it: the error is
raised before the allocator and the random numbers are told that it is over. From then on no cached
memory is given back, and random numbers are refused. So what would break a capture off, which is
mostly a wait for the device, is looked for first; where it still happens, torch is told what it
missed.

Source: `CUDAGraph::capture_end` and `CUDAGraph::reset` in PyTorch's CUDAGraph.cpp; pull request
180395 mends the first in later versions.
"""

from __future__ import annotations

import threading
import warnings
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from torch.cuda import _POOL_HANDLE

__all__ = ["clean_up_capture", "refuse_waiting"]

_WAITED = "called a synchronizing CUDA operation"
"""How torch warns of it."""


@contextmanager
def refuse_waiting() -> Iterator[None]:
    """Find out whether this thread waits for a CUDA device as long as the context lasts.

    torch could raise the error by itself, but in all threads, whose streams would end by it.

    Raises:
        RuntimeError: it has waited; at the end of the context.
    """
    this_thread, waited = threading.get_ident(), False
    before = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings():
        # torch says of this very mode that it does not see everything.
        warnings.filterwarnings("ignore", "Synchronization debug mode")
        warnings.filterwarnings("always", _WAITED)
        show = warnings.showwarning

        def note(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            nonlocal waited
            if _WAITED not in str(message):
                show(message, category, filename, lineno, file, line)
            elif threading.get_ident() == this_thread:
                waited = True

        warnings.showwarning = note
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode(before)
    if waited:
        raise RuntimeError("it waits for the device")


def clean_up_capture(
    device: torch.device, pool: _POOL_HANDLE, stream: torch.cuda.Stream
) -> _POOL_HANDLE:
    """Tell torch that a capture is over which has failed.

    Args:
        device: with its index.
        pool: that was captured into.
        stream: that was captured, nothing of which is under way.

    Returns:
        The pool for the next capture.
    """
    try:
        torch._C._cuda_endAllocateToPool(device.index, pool)
    except RuntimeError:
        # It never began, or ended in order: then the graph itself lets go of the pool.
        return pool
    torch._C._cuda_releasePool(device.index, pool)
    # Random numbers stay in the capture until the end of the next one.
    with suppress(RuntimeError):
        anything = torch.zeros(1, device=device)
        stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.graph(
            torch.cuda.CUDAGraph(), stream=stream, capture_error_mode="thread_local"
        ):
            anything.add_(1)
    return torch.cuda.graph_pool_handle()
