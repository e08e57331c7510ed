"""The files of one take, which grow together."""

from __future__ import annotations

import contextlib
from typing import IO, TYPE_CHECKING, Literal

import numpy as np

from bridge.recording.flac import FlacFile
from bridge.recording.wav import WavFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

__all__ = ["Container", "Depth", "TakeFiles"]

Container = Literal["wav", "flac"]
Depth = Literal["int24", "float32"]


class TakeFiles:
    """One file per name in a folder.

    Args:
        folder: there already, and nobody else's.
        names: of the files, without their extension.
        channels: C, of each.
        sample_rate: samples per second.
        container: of the files.
        depth: of the samples; flac has int24 only.

    Raises:
        OSError: a file cannot be written. So do all methods.
    """

    def __init__(
        self,
        folder: Path,
        names: Sequence[str],
        channels: int,
        sample_rate: int,
        *,
        container: Container,
        depth: Depth,
    ) -> None:
        self.folder = folder
        self._channels = channels
        self._paths = [folder / f"{name}.{container}" for name in names]
        self._open: list[IO[bytes]] = []
        self._files: list[WavFile | FlacFile] = []
        try:
            for path in self._paths:
                # Unbuffered: what has been written is the system's and outlives this process.
                file = path.open("xb+", buffering=0)
                self._open.append(file)
                self._files.append(
                    FlacFile(file, sample_rate, channels)
                    if container == "flac"
                    else WavFile(file, sample_rate, channels, is_float=depth == "float32")
                )
        except OSError:
            self._close()
            raise

    @property
    def safe_frames(self) -> int:
        """Frames that every file can give back, whatever happens now."""
        return min((file.safe_frames for file in self._files), default=0)

    def write(self, tracks: Samples) -> None:
        """Append frames: float32 [files × C, n]."""
        for index, file in enumerate(self._files):
            rows = tracks[index * self._channels : (index + 1) * self._channels]
            file.write(np.nan_to_num(rows.T, posinf=0.0, neginf=0.0))

    def update(self) -> None:
        """Let the headers say what is there."""
        for file in self._files:
            file.update()

    def finish(self) -> None:
        """Complete and close the files."""
        for file in self._files:
            file.finish()
        self._close()

    def rescue(self) -> None:
        """After an error: close the files with what is safe."""
        for file in self._files:
            with contextlib.suppress(OSError):
                file.recover()
        self._close()

    def _close(self) -> None:
        """Close the files; a take of nothing leaves nothing."""
        for opened in self._open:
            opened.close()
        if not self.safe_frames:
            for path in self._paths:
                path.unlink(missing_ok=True)
            self.folder.rmdir()
