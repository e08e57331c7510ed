"""Boards for `streamsep.offline`: stems are rendered while they are separated, in one pass."""

from __future__ import annotations

from contextlib import contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING

import torch

from streamsep.errors import ConfigError
from vst_wrapper.boards.build import build_board

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from streamsep.config.board import BoardConfig
    from vst_wrapper.boards.stem_board import StemBoard

__all__ = ["BoardRenderer"]


class BoardRenderer:
    """A `streamsep.offline.Renderer` that sends stems through a board.

    Every track that is under way has a board of its own. They are all made here, because plugins
    from files can only be loaded in the main thread, and lent to one track after the other.

    Args:
        config: of the board.
        sources: names of the stems, in the order in which they come.
        jobs: how many tracks are under way at the same time, at least 1.

    Raises:
        ConfigError: the configuration does not fit the stems or the plugins, or a plugin cannot be
            reset outside the main thread.
    """

    def __init__(self, config: BoardConfig, sources: Sequence[str], jobs: int = 1) -> None:
        self._free: SimpleQueue[StemBoard] = SimpleQueue()
        for _ in range(jobs):
            board = build_board(config, sources)
            _check_threads(board)
            self.names = board.outputs
            self._free.put(board)

    @contextmanager
    def open(self, sample_rate: int, channels: int) -> Iterator[BoardRendering]:
        """Lend a board to one track.

        Raises:
            ConfigError: the board does not fit the sample rate.
        """
        board = self._free.get()
        try:
            board.start(sample_rate, channels)
            yield BoardRendering(board)
        finally:
            self._free.put(board)


class BoardRendering:
    """One track on its way through a board.

    Args:
        board: started for the track.
    """

    def __init__(self, board: StemBoard) -> None:
        self._board = board

    def take_mix(self, block: Tensor) -> None:
        """Boards make everything of stems."""

    def push(self, stems: Tensor) -> list[Tensor]:
        """From stems [S, C, n] to what is finished of every output, [C, m] each."""
        return list(torch.from_numpy(self._board.push(stems.numpy())))

    def finish(self, stems: Tensor) -> list[Tensor]:
        """From the last stems to the rest of every output, with what rings on."""
        last = torch.from_numpy(self._board.push(stems.numpy()))
        rest = torch.from_numpy(self._board.flush())
        return list(torch.cat([last, rest], dim=-1))


def _check_threads(board: StemBoard) -> None:
    """Songs are rendered in threads of their own, where no plugin can be loaded again."""
    for stage in board.stages():
        if stage.is_reloaded:
            raise ConfigError(
                f"{stage.where}: does not fall silent when it is reset, so that it would have to "
                "be loaded again for every song; use StemBoard in a script of your own"
            )
