"""Engines for the plugin: real processes with every preset, and what their streams would say."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import fakes
import numpy as np
import torch

from streamsep import StreamConfig, StreamingSeparator
from streamsep.config import load_presets

if TYPE_CHECKING:
    from streamsep.engine import Separator

__all__ = ["SHARES", "ShimEngine", "stream_stems"]

SHARES = (0.5, 0.25, 0.125, 0.125)
"""What the stems of an engine with `--gains` are of the mixture."""

SCRIPT = Path(__file__).with_name("serve_presets.py")


class ShimEngine:
    """An engine in a folder.

    Args:
        folder: its run-time folder.
        options: of serve_presets.py.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.endpoint = f"ipc://{folder}/audio.ipc"
        self.control = f"ipc://{folder}/control.ipc"
        self._options = options
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start, and wait until it serves."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(self.folder), *self._options],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "READY\n"

    def revive(self) -> None:
        """Make sure that it runs."""
        if self._process is None or self._process.poll() is not None:
            self.start()
        else:
            self.send(signal.SIGCONT)

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None


def stream_stems(
    mix: np.ndarray,
    *,
    sample_rate: int = 44_100,
    preset: str = "studio",
    separator: Separator | None = None,
) -> np.ndarray:
    """Stems [S, C, T] of a mixture [C, T] after which there is silence, as in a host."""
    separator = separator or fakes.SegmentShaped(stride=2048)
    stream = StreamingSeparator(
        separator,
        StreamConfig.from_preset(load_presets()[preset]).fitted_to(separator),
        sample_rate=sample_rate,
        channels=len(mix),
    )
    silence = np.zeros((len(mix), 4 * sample_rate), np.float32)
    padded = torch.from_numpy(np.concatenate([mix, silence], -1))
    return stream.push(padded)[..., : mix.shape[-1]].numpy()
