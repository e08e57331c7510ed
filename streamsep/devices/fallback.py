"""Devices that lack operations: the processor takes over, and says so.

Apple's GPU has most of torch's operations but not all, and which ones depends on the versions of
torch and of the system. torch raises NotImplementedError then. A separator that meets one is moved
to the processor, for good: operation by operation it would spend its time on copies.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Protocol, Self, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn

from streamsep.devices.executor import Done, PlainExecutor
from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamsep.devices.executor import Pending, Separate
    from streamsep.devices.precision import Precision

__all__ = ["FallbackExecutor", "Movable", "moved"]

logger = logging.getLogger(__name__)

_PROCESSOR = torch.device("cpu")


@runtime_checkable
class Movable(Protocol):
    """A separator that can go to another device."""

    def moved_to(self, device: torch.device) -> Self:
        """The same there; this one must not be used any more."""

    def __call__(self, mix: Tensor) -> Tensor:
        """Separate float32 mix [B, C, T] into [B, S, C, T]."""


S = TypeVar("S", bound="Separate")


def moved(separate: S, device: torch.device) -> S:
    """A separator on another device, where it must not be used any more on the last one.

    Raises:
        ConfigError: it cannot be moved.
    """
    if isinstance(separate, Movable):
        return separate.moved_to(device)
    if isinstance(separate, nn.Module):
        return separate.to(device)
    raise ConfigError(f"this separator cannot be moved to '{device}'; load it there")


class FallbackExecutor:
    """Computes on a device as long as that has what it takes; threads may share it.

    Args:
        separate: [B, C, T] to [B, S, C, T], both on the device: a network or `Movable`.
        device: where it computes.
        precision: how exactly; None to leave it to the separator.
    """

    largest_batch = 1

    def __init__(
        self, separate: Separate, device: torch.device, *, precision: Precision | None = None
    ) -> None:
        self._separate = separate
        self._precision = precision
        self._executor = PlainExecutor(separate, device, precision=precision)
        self._lock = threading.Lock()

    @property
    def device(self) -> torch.device:
        """Where it computes now."""
        return self._executor.device

    def prepare(self, channels: int, length: int) -> None:
        """Separate silence of this length, which shows what is missing."""
        self(torch.zeros(1, channels, length))

    def begin(self, mix: Tensor) -> Pending:
        """Separate the mix.

        Raises:
            ConfigError: the device lacks an operation, and the separator cannot be moved.
        """
        return Done(self(mix))

    def __call__(self, mix: Tensor) -> Tensor:
        """As in `Executor`; raises what `begin` does."""
        return self._computed(lambda: self._executor(mix))

    def step_by_step(self, separate: Separate, mix: Tensor) -> Tensor:
        """As in `Executor`; raises what `begin` does.

        When the separator is moved, this has to compute on the processor as well.
        """
        return self._computed(lambda: self._executor.step_by_step(separate, mix))

    def _computed(self, compute: Callable[[], Tensor]) -> Tensor:
        with self._lock:
            try:
                return compute()
            except NotImplementedError as error:
                if self.device == _PROCESSOR:
                    raise
                self._fall_back(error)
            return compute()

    def _fall_back(self, error: NotImplementedError) -> None:
        reason = str(error).strip().partition("\n")[0]
        try:
            there = moved(self._separate, _PROCESSOR)
        except ConfigError:
            raise ConfigError(
                f"device '{self.device}' lacks an operation that this network needs ({reason}); "
                "use --device cpu"
            ) from error
        logger.warning(
            "device '%s' lacks an operation that this network needs (%s); "
            "it runs on the processor from now on",
            self.device,
            reason,
        )
        self._executor = PlainExecutor(there, _PROCESSOR, precision=self._precision)
