"""Open any audio file: libsndfile where it can, ffmpeg where it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import soundfile

from streamsep.errors import InputError
from streamsep.files.ffmpeg import FfmpegReader, ffmpeg_is_installed
from streamsep.files.sndfile import SndfileReader

if TYPE_CHECKING:
    import os

    from streamsep.files.reader import AudioReader

__all__ = ["open_audio"]


def open_audio(path: str | os.PathLike[str]) -> AudioReader:
    """Open an audio file for reading in blocks; use it as a context manager.

    Args:
        path: A file in any format libsndfile reads, or ffmpeg where it is installed.

    Returns:
        A reader that can be passed over more than once.

    Raises:
        InputError: If the file is missing, unreadable, empty, truncated or not audio. What can
            only be seen at its end is raised by `AudioReader.blocks`.
    """
    path = Path(path)
    _check_readable(path)
    try:
        return SndfileReader(path)
    except soundfile.LibsndfileError as error:
        if not ffmpeg_is_installed():
            raise InputError(
                f"'{path}' cannot be read as audio (libsndfile: {error.error_string}): install "
                "ffmpeg for m4a, video and other formats, or give a wav, flac or mp3 file"
            ) from error
    except OSError as error:
        raise InputError(f"'{path}' cannot be read: {error.strerror}") from error
    return FfmpegReader(path)


def _check_readable(path: Path) -> None:
    """Say what libsndfile would only call a system error."""
    try:
        if path.is_dir():
            raise InputError(f"'{path}' is a directory: give an audio file")
        # Opening anything but a regular file could wait for ever, and cannot be read twice.
        if path.exists() and not path.is_file():
            raise InputError(f"'{path}' is not a regular file: save the audio to one first")
        with path.open("rb") as file:
            if not file.read(1):
                raise InputError(f"'{path}' is empty (0 bytes): give an audio file")
    except FileNotFoundError as error:
        raise InputError(f"'{path}' does not exist: check the path") from error
    except PermissionError as error:
        raise InputError(f"'{path}' cannot be read: permission denied") from error
    except (OSError, ValueError) as error:
        raise InputError(f"'{path}' cannot be read: {error}") from error
