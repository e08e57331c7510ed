"""When a device has no memory left: knowing it by its errors, and giving back what can be.

Libraries say it in many ways. CUDA has an error of its own. On the processor torch raises a
`RuntimeError` with the allocator's words, C++ throws `std::bad_alloc`, Python has `MemoryError`,
onnxruntime has classes of its own, and what a network was wrapped in may have put another error
around any of them.
"""

from __future__ import annotations

import ctypes
import errno
import gc
import platform
import re

import torch

from streamsep.errors import StreamSepError

__all__ = ["is_out_of_memory", "release_memory", "trim_heaps"]

_WORDS = re.compile(
    r"out of memory"  # CUDA, MPS
    r"|DefaultCPUAllocator"  # torch on the processor
    r"|not enough memory"
    r"|Cannot allocate memory"
    r"|bad_alloc|bad allocation"  # C++; onnxruntime on Windows
    r"|Failed to allocate"  # onnxruntime
    r"|(CUBLAS|CUSOLVER|CUDNN|CUFFT)_\w*ALLOC_FAILED"
    # Without memory for its scratchpad oneDNN cannot make an operation, and says only that.
    r"|could not (create|execute) a (primitive|memory)"
    # A thread's stack is memory too.
    r"|can't start new thread",
    re.IGNORECASE,
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error, or what it was raised from, says that memory has run out."""
    if _says_so(error):
        return True
    return error.__cause__ is not None and is_out_of_memory(error.__cause__)


def _says_so(error: BaseException) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    # Our own messages quote the names of files, which may be any words.
    return not isinstance(error, StreamSepError) and _WORDS.search(str(error)) is not None


def release_memory() -> None:
    """Give back what only waits to be used again.

    Call it after the ``except`` block has been left: the error holds on to all tensors that the
    failed computation had made.
    """
    gc.collect()
    trim_heaps()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()


def trim_heaps() -> None:
    """Let the C library give memory that nobody uses back to the system, where it can be asked.

    glibc keeps a heap for every thread, each as large as that thread ever needed it: those of
    threads whose track is done would add up.
    """
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
