"""Songs that appear on disk under their name only when they are whole.

Making a set of songs takes hours, and a run may be stopped, killed or run out of disk at any time.
What it was making then lies below ``.unfinished``; what lies under its own name is whole. The same
run started again makes what is not there yet.
"""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING

from streamsep.errors import OutputError
from streamsep.files import Encoding, StemWriter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from torch import Tensor

__all__ = ["clear_away", "make_folder", "whole_folder", "write_stems"]

_UNFINISHED = ".unfinished"
_FLAC = Encoding("flac", "int16")


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where missing.

    Raises:
        OutputError: that is impossible.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made a folder: {error}; name another") from error


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A path under which to make a folder that gets its name when the block ends.

    For a file there is `streamsep.whole_file`; a folder cannot take the place of another one.

    Args:
        path: its name; nothing but an empty folder may have it.

    Yields:
        A path below `path.parent / ".unfinished"`, at which nothing is. It is gone after an error.

    Raises:
        OutputError: it cannot be written.
    """
    unfinished = path.parent / _UNFINISHED / path.name
    try:
        _remove(unfinished)
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        yield unfinished
        unfinished.replace(path)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error}; check space and permissions"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            _remove(unfinished)


def clear_away(folder: Path) -> None:
    """Remove the place of unfinished things in a folder, unless another run is at work there."""
    with contextlib.suppress(OSError):
        (folder / _UNFINISHED).rmdir()


def write_stems(folder: Path, stems: Mapping[str, Tensor], sample_rate: int) -> None:
    """Write a song's stems as 16-bit flac files into a new folder.

    Args:
        folder: made here; give it its name when all is in it, see `whole_folder`.
        stems: float32 [C, T] by name; beyond ±1 they are clamped.
        sample_rate: samples per second.

    Raises:
        OutputError: a file cannot be written.
    """
    for stem, audio in stems.items():
        channels, frames = audio.shape
        path = folder / f"{stem}.flac"
        with StemWriter(path, sample_rate, channels, _FLAC, frames=frames) as writer:
            writer.write(audio)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
