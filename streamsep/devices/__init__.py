"""Where and how a separator computes: one interface for the processor, CUDA and Apple's GPU.

An `Executor` takes segments that lie on the processor and gives their stems there. What it does in
between depends on the device: on the processor nothing, on a CUDA device graphs and overlapped
copies (`cuda.py`), on devices that lack operations a way back (`fallback.py`).
"""

from streamsep.devices.executor import Done, Executor, Pending, Separate, Several
from streamsep.devices.making import make_executor
from streamsep.devices.precision import PRECISION_NAMES, Precision

__all__ = [
    "PRECISION_NAMES",
    "Done",
    "Executor",
    "Pending",
    "Precision",
    "Separate",
    "Several",
    "make_executor",
]
