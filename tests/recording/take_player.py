"""Somebody who plays into a recorder, and what should be in its files."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from bridge.recording import Recorder

__all__ = ["BLOCK", "RATE", "STEMS", "material", "play_for_ever"]

STEMS = ("drums", "bass", "other", "vocals")
RATE = 44_100
BLOCK = 512


def material(begin: int, length: int) -> np.ndarray:
    """The input and four stems, [5, 2, length], from a frame on: no two samples alike nearby.

    Whole steps of 24 bits, so that every format gives them back exactly.
    """
    frames = np.arange(begin, begin + length)
    tracks = np.arange(10).reshape(5, 2, 1)
    return ((frames * 9_973 + tracks * 1_234_577) % 2**24 - 2**23).astype(np.float32) / 2**23


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def play_for_ever(folder: str, container: str, depth: str) -> None:
    """Record until killed, at four times the pace; says where, and how far it is."""
    recorder = Recorder(
        Path(folder), STEMS, 2, RATE, container=container, depth=depth, buffer_s=20.0
    )
    say(f"{recorder.take} {recorder.writer_pid}")
    position = 0
    while True:
        for _ in range(16):
            block = material(position, BLOCK)
            recorder.write(block[0], block[1:])
            position += BLOCK
        assert recorder.poll() == []
        say(str(recorder.safe_frames))
        time.sleep(16 * BLOCK / RATE / 4)


if __name__ == "__main__":
    play_for_ever(*sys.argv[1:])
