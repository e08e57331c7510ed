"""What the tests of boards share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pedalboard_native
import yaml

from streamsep.config.board import BoardConfig, load_board

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pedalboard
    from numpy.typing import NDArray

    from vst_wrapper import StemBoard

__all__ = ["RATE", "STEMS", "config_of", "delayed", "in_pieces", "noise_stems"]

RATE = 44_100
STEMS = ("drums", "bass", "other", "vocals")


def delayed(samples: int) -> pedalboard.Plugin:
    """A plugin that only holds sound back, and says so: pedalboard's own for its own tests."""
    return pedalboard_native._internal.AddLatency(samples)


def noise_stems(length: int = 30_000, channels: int = 2, seed: int = 0) -> NDArray[np.float32]:
    """Four stems of noise [S, C, T]."""
    generator = np.random.default_rng(seed)
    return 0.1 * generator.standard_normal((4, channels, length)).astype(np.float32)


def in_pieces(
    board: StemBoard, stems: NDArray[np.float32], lengths: Iterable[int], sample_rate: int = RATE
) -> NDArray[np.float32]:
    """The outputs [O, C, T] of stems that come in pieces of these lengths, then in one."""
    board.start(sample_rate, stems.shape[1])
    position, outputs = 0, []
    for length in (*lengths, stems.shape[-1]):
        outputs.append(board.push(stems[..., position : position + length]))
        position += length
    return np.concatenate([*outputs, board.flush()], axis=-1)


def config_of(folder: Path, **content: Any) -> BoardConfig:
    """A board as it is read from a file."""
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump({"name": "mine", "description": "A test.", **content}))
    return load_board(path)
