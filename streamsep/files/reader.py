"""What every reader of audio offers, whichever library decodes it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING
from weakref import WeakSet

import numpy as np
import torch

from streamsep.closing import Closing
from streamsep.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

__all__ = ["AudioReader"]


class AudioReader(Closing, ABC):
    """An audio file that can be read from its start as often as needed, block by block.

    Every pass decodes afresh, so passes are independent and memory stays at one block. Leaving the
    context ends passes that are still running, and with them their files and processes.

    Attributes:
        path: The file.
        sample_rate: Hz.
        channels: C.
        frames: Samples per channel, or None where the file does not say so reliably; known after
            the first whole pass.
        container: The container's name, for example "WAV".
        subtype: The encoding's name, for example "PCM_16" or "aac".
    """

    path: Path
    sample_rate: int
    channels: int
    frames: int | None
    container: str
    subtype: str

    def __init__(self) -> None:
        self._passes: WeakSet[Generator[Tensor, None, None]] = WeakSet()

    def close(self) -> None:
        """End every pass that is still running."""
        for running in list(self._passes):
            running.close()

    def blocks(self, size: int) -> Iterator[Tensor]:
        """Read the whole file from its start.

        Args:
            size: Samples per block, at least 1; the last block may be shorter.

        Yields:
            [C, t] float32, 1 <= t <= size; integers are scaled to -1 … 1.

        Raises:
            InputError: If the file is damaged, truncated or turns out to hold no samples.
        """
        assert size >= 1, size
        running = self._pass(size)
        self._passes.add(running)
        return running

    def _pass(self, size: int) -> Generator[Tensor, None, None]:
        total = 0
        decoded = self._decode(size)
        try:
            for frames in decoded:
                total += len(frames)
                yield torch.from_numpy(np.ascontiguousarray(frames.T))
        finally:
            decoded.close()
        if total == 0:
            raise InputError(f"'{self.path}' holds no samples: give a file with sound in it")
        self._check_complete(total)
        self.frames = total

    @abstractmethod
    def _decode(self, size: int) -> Generator[NDArray[np.float32], None, None]:
        """Yield [t, C] float32, each `size` long but the last."""

    @abstractmethod
    def _check_complete(self, total: int) -> None:
        """Raise InputError if `total` samples are fewer than the file announced."""

    def _truncated(self, got: int, announced: int, detail: str = "") -> InputError:
        reason = f" ({detail})" if detail else ""
        return InputError(
            f"'{self.path}' is truncated: it ends after {got} of {announced} samples{reason}; "
            "fetch it again or export it anew"
        )
