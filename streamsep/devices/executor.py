"""What every device offers: segments go in, their stems come out, both on the processor.

Between `begin` and `result` a device may be busy by itself. Whoever has several batches begins the
next one before asking for the last one's stems; on the processor that changes nothing, because
there `begin` returns with the stems::

    executor   begin 1   begin 2   result 1   begin 3   result 2 ...
    device       ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from streamsep.devices.precision import arithmetic

if TYPE_CHECKING:
    from streamsep.devices.precision import Precision

__all__ = ["Done", "Executor", "Pending", "PlainExecutor", "Separate", "Several"]

Separate = Callable[[Tensor], Tensor]
"""Separates float32 mix [B, C, T] into [B, S, C, T], both on one device."""


class Pending(Protocol):
    """Stems that a device has been asked for."""

    @property
    def done(self) -> bool:
        """Whether `result` need not wait."""

    def result(self) -> Tensor:
        """Wait for the stems, float32 [B, S, C, T] on the processor; nobody else writes to them."""


class Executor(Protocol):
    """A separator on its device."""

    @property
    def device(self) -> torch.device:
        """Where it computes; another one from when it had to fall back."""

    @property
    def largest_batch(self) -> int:
        """Segments that it gains from computing together; 1 where it gains nothing."""

    def prepare(self, channels: int, length: int) -> None:
        """Do now whatever would make the first segments [C, T] of a length slow.

        Args:
            channels: C.
            length: T.
        """

    def begin(self, mix: Tensor) -> Pending:
        """Begin to separate float32 mix [B, C, T], B from 1, which lies on the processor."""

    def __call__(self, mix: Tensor) -> Tensor:
        """Separate float32 mix [B, C, T] into [B, S, C, T], both on the processor."""

    def step_by_step(self, separate: Separate, mix: Tensor) -> Tensor:
        """Compute something else with the same network, as exactly as `__call__` does.

        Args:
            separate: float32 [B, C, T] to [B, S, C, t], both on the device.
            mix: float32 [B, C, T] on the processor, to where the result comes back.
        """


class Done:
    """Stems that are there."""

    done = True

    def __init__(self, stems: Tensor) -> None:
        self._stems = stems

    def result(self) -> Tensor:
        """The stems."""
        return self._stems


class Several:
    """A batch that is computed in parts.

    Args:
        parts: at least one, in order.
    """

    def __init__(self, parts: Sequence[Pending]) -> None:
        self._parts = parts

    @property
    def done(self) -> bool:
        """As in `Pending`."""
        return all(part.done for part in self._parts)

    def result(self) -> Tensor:
        """As in `Pending`."""
        stems = [part.result() for part in self._parts]
        return stems[0] if len(stems) == 1 else torch.cat(stems)


class PlainExecutor:
    """Calls the separator and waits for it: on the processor there is nothing to add.

    Args:
        separate: [B, C, T] to [B, S, C, T], both on the device.
        device: where it computes.
        precision: how exactly; None to leave it to the separator.
    """

    largest_batch = 1

    def __init__(
        self, separate: Separate, device: torch.device, *, precision: Precision | None = None
    ) -> None:
        self.device = device
        self._separate = separate
        self._precision = precision

    def prepare(self, channels: int, length: int) -> None:
        """Nothing: all segments take the same time, but for caches that the next one would find."""

    def begin(self, mix: Tensor) -> Pending:
        """Separate the mix."""
        return Done(self(mix))

    def __call__(self, mix: Tensor) -> Tensor:
        """As in `Executor`."""
        return self.step_by_step(self._separate, mix)

    def step_by_step(self, separate: Separate, mix: Tensor) -> Tensor:
        """As in `Executor`."""
        with torch.inference_mode(), arithmetic(self._precision, self.device):
            return separate(mix.to(self.device)).float().cpu()
