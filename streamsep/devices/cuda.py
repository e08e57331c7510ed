"""CUDA: recorded graphs, and copies that run while others compute.

A network of hundreds of small kernels keeps the processor that launches them busier than the GPU
that runs them. A graph is the whole sequence, launched at once. It is bound to the memory that it
was recorded with: the mixtures are copied to where it reads them, the stems from where it writes
them. Three streams of work let the copies of one batch overlap with the computation of another;
events (│) keep the order within a batch::

    upload     ▇1 ▇2                  ▇3
                │  └─────────┐          └───┐
    compute      ▇▇▇▇▇1▇▇▇▇▇▇ ▇▇▇▇▇2▇▇▇▇▇▇▇ ▇▇▇▇▇3▇▇▇▇▇▇
                            │              │            │
    download                 ▇▇▇1           ▇▇▇2         ▇▇▇3

There are two slots of buffers on either side, so two batches can be under way. Those on the
processor's side are pinned: from other memory the GPU could not copy by itself.

What a network does must be the same every time. It may allocate (the memory stays the graph's), so
windows that it makes anew are no harm, but not wait for the device or look at what was computed.
cuDNN's LSTMs can be recorded; their weights lie in one piece since the network moved to the device.

Source: "CUDA semantics", section "CUDA Graphs", of the PyTorch documentation.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from streamsep.devices.batching import batch_sizes, parts_of, rounded_up, write_padded
from streamsep.devices.captures import clean_up_capture, refuse_waiting
from streamsep.devices.executor import Done, Several
from streamsep.devices.precision import arithmetic
from streamsep.devices.recordings import Recordings
from streamsep.devices.staging import Staging

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch.cuda import _POOL_HANDLE

    from streamsep.devices.executor import Pending, Separate
    from streamsep.devices.precision import Precision
    from streamsep.devices.recordings import Shape

__all__ = ["CudaExecutor"]

_WARM_UPS = 3
"""Computations before one is recorded: libraries choose algorithms and allocate in the first,
and the last shows whether it can be recorded."""

_SLOTS = 2


class CudaExecutor:
    """Replays what it has recorded of a separator; threads may share it.

    Args:
        separate: [B, C, T] to [B, S, C, T], both on the device.
        device: a CUDA device.
        precision: how exactly; None to leave it to the separator.
        largest_batch: segments to compute together.
        most_recordings: shapes to keep.
    """

    def __init__(
        self,
        separate: Separate,
        device: torch.device,
        *,
        precision: Precision | None = None,
        largest_batch: int = 8,
        most_recordings: int = 32,
    ) -> None:
        index = torch.cuda.current_device() if device.index is None else device.index
        self.device = torch.device("cuda", index)
        self.largest_batch = largest_batch
        self._separate = separate
        self._precision = precision
        self._lanes = _Lanes(self.device)
        # One pool for all graphs: they never run at the same time, and each copies what it made
        # to a slot before another one may write over it.
        self._pool = torch.cuda.graph_pool_handle()
        self._recordings = Recordings(self._record, most_recordings)
        self._lock = threading.Lock()
        # The weights may still be on their way, on the stream of whoever loaded them.
        torch.cuda.synchronize(self.device)

    def prepare(self, channels: int, length: int) -> None:
        """Record the shape for all sizes of a batch, the largest first, which needs most memory."""
        with self._lock, torch.cuda.device(self.device), torch.inference_mode():
            for size in reversed(batch_sizes(self.largest_batch)):
                shape = (size, channels, length)
                if self._recordings.make(shape) is None and size == 1:
                    self._compute_step_by_step(torch.zeros(shape))

    def begin(self, mix: Tensor) -> Pending:
        """As in `Executor`."""
        with self._lock, torch.cuda.device(self.device), torch.inference_mode():
            parts = torch.split(mix, parts_of(len(mix), self.largest_batch))
            return Several([self._begin(part) for part in parts])

    def __call__(self, mix: Tensor) -> Tensor:
        """As in `Executor`."""
        return self.begin(mix).result()

    def step_by_step(self, separate: Separate, mix: Tensor) -> Tensor:
        """As in `Executor`."""
        with self._lock, torch.cuda.device(self.device), torch.inference_mode():
            return self._compute_step_by_step(mix, separate)

    def _begin(self, mix: Tensor) -> Pending:
        size = rounded_up(len(mix), self.largest_batch)
        recording = self._recordings.find((size, *mix.shape[1:]))
        if recording is None:
            return Done(self._compute_step_by_step(mix))
        return recording.begin(mix)

    def _compute_step_by_step(self, mix: Tensor, separate: Separate | None = None) -> Tensor:
        with torch.cuda.stream(self._lanes.compute):
            return self._run(mix.to(self.device), separate).cpu()

    def _run(self, mix: Tensor, separate: Separate | None = None) -> Tensor:
        with arithmetic(self._precision, self.device):
            return (separate or self._separate)(mix).float()

    def _record(self, shape: Shape) -> _Graph:
        try:
            return _Graph(self._run, shape, self._lanes, self._pool)
        except Exception:
            # Whatever it is: torch must know that the capture is over.
            self._pool = clean_up_capture(self.device, self._pool, self._lanes.compute)
            raise


class _Lanes:
    """The three streams of work, and the slots that batches occupy on their way."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.upload = torch.cuda.Stream(device)
        self.compute = torch.cuda.Stream(device)
        self.download = torch.cuda.Stream(device)
        self._slots = deque(_Slot(self) for _ in range(_SLOTS))

    def next_slot(self) -> _Slot:
        """The slot whose last batch is the oldest."""
        self._slots.rotate(-1)
        return self._slots[-1]


class _Graph:
    """A separator as recorded for batches of one shape.

    Args:
        run: what to record.
        shape: of the mixtures.
        lanes: where it runs.
        pool: memory that it shares with other graphs.

    Raises:
        RuntimeError: it cannot be recorded.
    """

    def __init__(self, run: Separate, shape: Shape, lanes: _Lanes, pool: _POOL_HANDLE) -> None:
        self._lanes = lanes
        # A recording that fails leaves its stream the current one; this context puts that right.
        with torch.cuda.stream(lanes.compute):
            self._mix = torch.zeros(shape, device=lanes.device)
            for _ in range(_WARM_UPS - 1):
                run(self._mix)
            with refuse_waiting():
                run(self._mix)
            lanes.compute.synchronize()
            self._graph = torch.cuda.CUDAGraph()
            # Other threads may use the device meanwhile; they are not recorded.
            with torch.cuda.graph(
                self._graph, pool=pool, stream=lanes.compute, capture_error_mode="thread_local"
            ):
                self._stems = run(self._mix)

    def begin(self, mix: Tensor) -> Pending:
        """Begin to separate a mix [b, C, T], b from 1 to what was recorded."""
        lanes = self._lanes
        slot = lanes.next_slot()
        slot.lay_out(self._mix.shape, self._stems.shape)
        write_padded(slot.mix_here, mix)
        with torch.cuda.stream(lanes.upload):
            slot.mix_there.copy_(slot.mix_here, non_blocking=True)
            slot.uploaded.record()
        with torch.cuda.stream(lanes.compute):
            slot.uploaded.wait()
            self._mix.copy_(slot.mix_there)
            self._graph.replay()
            slot.stems_there.copy_(self._stems)
            slot.computed.record()
        with torch.cuda.stream(lanes.download):
            slot.computed.wait()
            slot.stems_here.copy_(slot.stems_there, non_blocking=True)
            slot.downloaded.record()
        return slot.pending(len(mix))

    def close(self) -> None:
        """Give the memory back, once nothing of it is in use."""
        self._lanes.compute.synchronize()
        self._graph.reset()


class _Slot:
    """The buffers of one batch under way, on the processor (here) and on the device (there)."""

    def __init__(self, lanes: _Lanes) -> None:
        self._compute = lanes.compute
        self._mixes = Staging(lanes.device, pinned=True)
        self._stems = Staging(lanes.device, pinned=True)
        self.mix_here = self.mix_there = self.stems_here = self.stems_there = torch.empty(0)
        self.uploaded = torch.cuda.Event()
        self.computed = torch.cuda.Event()
        # Whoever waits for stems sleeps: other threads have work to do.
        self.downloaded = torch.cuda.Event(blocking=True)
        self._pending: _OnTheirWay | None = None

    def lay_out(self, mix: Sequence[int], stems: Sequence[int]) -> None:
        """Wait for the last batch, keep its stems, and make buffers of these shapes."""
        if self._pending is not None:
            self._pending.result()
            self._pending = None
        with torch.cuda.stream(self._compute):
            self.mix_here, self.mix_there = self._mixes.buffers(mix)
            self.stems_here, self.stems_there = self._stems.buffers(stems)

    def pending(self, count: int) -> Pending:
        """The first stems of the batch that was just begun."""
        self._pending = _OnTheirWay(self.stems_here[:count], self.downloaded)
        return self._pending


class _OnTheirWay:
    """Stems that will lie in a slot's buffer once its event has happened."""

    def __init__(self, buffer: Tensor, downloaded: torch.cuda.Event) -> None:
        self._buffer = buffer
        self._downloaded = downloaded
        self._stems: Tensor | None = None
        self._lock = threading.Lock()

    @property
    def done(self) -> bool:
        """As in `Pending`."""
        return self._stems is not None or self._downloaded.query()

    def result(self) -> Tensor:
        """As in `Pending`."""
        with self._lock:
            if self._stems is None:
                self._downloaded.synchronize()
                self._stems = self._buffer.clone()
            return self._stems
