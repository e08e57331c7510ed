"""A separator that computes elsewhere: audio stays on the processor, before and after.

What stands above a separator need not know where it computes. This one does what the device is
best at (`streamsep.devices`): CUDA graphs and pinned copies on a CUDA device, the processor where
another device lacks an operation. Several streams may share one, and should: what was recorded for
one stream serves all. On the processor it computes what the separator within does, to the bit.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Self

import torch

from streamsep.devices import make_executor
from streamsep.devices.fallback import moved
from streamsep.devices.precision import changes_arithmetic
from streamsep.engine.separator import follow, separate_within
from streamsep.engine.wrapping import WrappedSeparator

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from streamsep.engine.separator import SegmentFollower, Separator

__all__ = ["DeviceSeparator"]


class DeviceSeparator(WrappedSeparator):
    """A `Separator` that takes and gives audio on the processor and computes on a device.

    Give it to a `StreamingSeparator` without telling that about the device::

        network = load_separator(device="cuda")
        stream = StreamingSeparator(DeviceSeparator(network, "cuda"), config)

    Args:
        separator: what separates; already on the device.
        device: where it computes.
        precision: ``float32``, ``tf32`` (CUDA), ``bfloat16``, or None to leave it to the separator.
        largest_batch: segments to compute together, where that gains anything.

    Raises:
        ConfigError: the device does not have this precision, or the batch is below 1.
    """

    def __init__(
        self,
        separator: Separator,
        device: str | torch.device,
        *,
        precision: str | None = None,
        largest_batch: int = 8,
    ) -> None:
        super().__init__(separator)
        self._precision = precision
        self._whole = _Whole(separator)
        self._executor = make_executor(
            self._whole, torch.device(device), precision=precision, largest_batch=largest_batch
        )

    @property
    def device(self) -> torch.device:
        """Where it computes; another one from when that lacked an operation."""
        return self._executor.device

    def prepare(self, segment: int) -> None:
        """Do now what would make the first segments of a length slow on this device."""
        self._executor.prepare(self.channels, segment)

    def __call__(self, mix: Tensor) -> Tensor:
        """Separate float32 mix [B, C, T] into [B, S, C, T], both on the processor."""
        return self._executor(mix)

    def separate_within(self, mix: Tensor, start: int, length: int) -> Tensor:
        """Separate a part of mix [B, C, T] into [B, S, C, length]; see `SurroundedSeparator`."""
        return self.begin(mix, start, length)()

    def begin(self, mix: Tensor, start: int, length: int) -> Callable[[], Tensor]:
        """The same, without waiting for the device; see `DeferringSeparator`.

        A segment with others around it is computed step by step: they are of many lengths. A live
        stream's have nothing around them.
        """
        if self.surroundings == 0:
            mix, start = mix[..., start : start + length], 0
        if length == mix.shape[-1]:
            return self._executor.begin(mix).result
        part = partial(self._whole.part, start=start, length=length)
        stems = self._executor.step_by_step(part, mix)
        return lambda: stems

    def follow(self, *, segment: int, hop: int, wanted: slice) -> SegmentFollower | None:
        """Follow a live stream, where the separator within can, on its device.

        Followers compute as exactly as the separator was made to. Where that is not how exactly
        this one was told to compute, there is none, and every segment is computed anew.
        """
        if changes_arithmetic(self._precision, self.device):
            return None
        return follow(self._separator, segment=segment, hop=hop, wanted=wanted)


class _Whole:
    """A separator of whole segments, with nothing around them, which can go to another device.

    Args:
        separator: what separates.
    """

    def __init__(self, separator: Separator) -> None:
        self._separator = separator

    def moved_to(self, device: torch.device) -> Self:
        """The same, there.

        Raises:
            ConfigError: the separator cannot be moved.
        """
        self._separator = moved(self._separator, device)
        return self

    def __call__(self, mix: Tensor) -> Tensor:
        """Separate mix [B, C, T] into [B, S, C, T], both on the device."""
        return self.part(mix, 0, mix.shape[-1])

    def part(self, mix: Tensor, start: int, length: int) -> Tensor:
        """Separate a part of mix [B, C, T], aware of the rest, into [B, S, C, length]."""
        return separate_within(self._separator, mix, start, length)
