"""Writing the stems of one track: all of them, or none.

Samples beyond full scale do not fit into integers. Clamping can be done block by block; one gain
for the whole track is known only at its end, so for that the stems wait in unnamed temporary files.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING, Protocol, Self

import numpy as np
import torch

from streamsep._version import __version__
from streamsep.errors import OutputError
from streamsep.files import StemWriter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from streamsep.files import AudioReader
    from streamsep.offline.options import SeparationOptions

__all__ = ["DirectSink", "RescalingSink", "StemSink", "open_sink"]

HEADROOM = 1.01
"""How far below full scale a rescaled track's peak comes to lie, as a factor."""

READ_BACK = 1 << 16
"""Samples per block when temporary files are read back."""


class StemSink(Protocol):
    """Takes the stems of one track block by block. Leaving it by an error removes everything."""

    overshoots: int

    def __enter__(self) -> Self: ...
    def __exit__(self, *error: object) -> bool | None: ...

    def write(self, stems: Sequence[Tensor]) -> None:
        """Append one block [C, t] per stem."""

    def commit(self) -> None:
        """Give the files their names."""


class DirectSink:
    """Writes as the stems come.

    Args:
        writers: one per stem.
        clamp: cut samples at full scale, so that floats and what an mp3's encoder takes end there
            as integers do.

    Attributes:
        overshoots: samples so far that lay beyond full scale.
    """

    def __init__(self, writers: Sequence[StemWriter], *, clamp: bool = False) -> None:
        self._writers = writers
        self._clamp = clamp
        self._stack = ExitStack()
        self.overshoots = 0

    def __enter__(self) -> Self:
        for writer in self._writers:
            self._stack.callback(writer.abort)
        return self

    def __exit__(self, *error: object) -> bool | None:
        # After a commit there is nothing to abort.
        self._stack.close()
        return None

    def write(self, stems: Sequence[Tensor]) -> None:
        """Append one block [C, t] per stem."""
        for writer, stem in zip(self._writers, stems, strict=True):
            self.overshoots += int((stem.abs() > 1.0).sum())
            writer.write(stem.clamp(-1.0, 1.0) if self._clamp else stem)

    def commit(self) -> None:
        """Give the files their names."""
        # What can fail for lack of space fails before the first of them has its name.
        for writer in self._writers:
            writer.complete()
        for writer in self._writers:
            writer.commit()


class RescalingSink:
    """Waits for the loudest sample of the track, then writes all stems with one gain.

    Args:
        writers: one per stem.
        folder: where the temporary files lie; they have no names and vanish with the process.

    Attributes:
        overshoots: samples so far that would have lain beyond full scale.
    """

    def __init__(self, writers: Sequence[StemWriter], folder: Path) -> None:
        self._direct = DirectSink(writers)
        self._channels = writers[0].channels
        self._folder = folder
        self._stack = ExitStack()
        self._files: list[IO[bytes]] = []
        self._peak = 0.0
        self.overshoots = 0

    def __enter__(self) -> Self:
        self._stack.enter_context(self._direct)
        try:
            for _ in self._direct._writers:
                file = self._stack.enter_context(tempfile.TemporaryFile(dir=self._folder))
                self._files.append(file)
        except OSError as error:
            self._stack.close()
            raise self._failure(error) from error
        return self

    def __exit__(self, *error: object) -> bool | None:
        self._stack.close()
        return None

    def write(self, stems: Sequence[Tensor]) -> None:
        """Append one block [C, t] per stem."""
        try:
            for file, stem in zip(self._files, stems, strict=True):
                if stem.shape[-1]:
                    self._peak = max(self._peak, float(stem.abs().max()))
                self.overshoots += int((stem.abs() > 1.0).sum())
                file.write(np.ascontiguousarray(stem.numpy().T, dtype=np.float32).tobytes())
        except OSError as error:
            raise self._failure(error) from error

    def commit(self) -> None:
        """Write the files with the gain that the loudest sample allows, and name them."""
        gain = 1.0 / max(1.0, HEADROOM * self._peak)
        try:
            for file in self._files:
                file.seek(0)
            while block := [file.read(READ_BACK * self._channels * 4) for file in self._files]:
                if not block[0]:
                    break
                self._direct.write([self._planar(data) * gain for data in block])
        except OSError as error:
            raise self._failure(error) from error
        self._direct.commit()

    def _planar(self, data: bytes) -> Tensor:
        frames = np.frombuffer(data, dtype=np.float32).reshape(-1, self._channels)
        return torch.from_numpy(frames.T.copy())

    def _failure(self, error: OSError) -> OutputError:
        return OutputError(
            f"cannot write temporary files into '{self._folder}': {error.strerror}; free some "
            "space, choose another output folder or use another clip mode than 'rescale'"
        )


def open_sink(
    paths: Mapping[str, Path], reader: AudioReader, model: str, options: SeparationOptions
) -> StemSink:
    """Begin the files of one track.

    Args:
        paths: the file of every stem, by name.
        reader: the track.
        model: name of the network, to be written into the files.
        options: the encoding and what happens to samples beyond full scale.

    Raises:
        OutputError: one of the files cannot be created; then none is left.
    """
    title = reader.path.stem.encode("utf-8", "replace").decode()  # a name need not be text
    comment = f"separated by streamsep {__version__} with {model}"
    writers: list[StemWriter] = []
    try:
        for name, path in paths.items():
            writers.append(
                StemWriter(
                    path,
                    reader.sample_rate,
                    reader.channels,
                    options.encoding,
                    frames=reader.frames,
                    metadata={"title": f"{title} ({name})", "comment": comment},
                )
            )
    except BaseException:
        for writer in writers:
            writer.abort()
        raise
    if options.effective_clip_mode == "rescale":
        return RescalingSink(writers, writers[0].path.parent)
    return DirectSink(writers, clamp=options.effective_clip_mode == "clamp")
