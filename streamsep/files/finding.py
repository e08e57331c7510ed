"""From the FILE|DIR… of a command line to a list of audio files."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from streamsep.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["AUDIO_EXTENSIONS", "BadArgument", "FoundAudio", "expand", "find_audio"]

_log = logging.getLogger(__name__)

_LIBSNDFILE = {".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp3", ".oga", ".ogg", ".opus"}
_LIBSNDFILE |= {".rf64", ".w64", ".wav", ".wave"}
_FFMPEG = {".3gp", ".aac", ".ac3", ".alac", ".ape", ".avi", ".dsf", ".flv", ".m4a", ".m4b", ".m4v"}
_FFMPEG |= {".mka", ".mkv", ".mov", ".mp2", ".mp4", ".mpc", ".mpeg", ".mpg", ".tta", ".webm"}
_FFMPEG |= {".wma", ".wmv", ".wv"}
AUDIO_EXTENSIONS = frozenset(_LIBSNDFILE | _FFMPEG)


@dataclass(frozen=True, slots=True)
class FoundAudio:
    """An audio file and where it lay in what was asked for.

    Attributes:
        path: The file.
        relative: Its path below the directory that was given; only its name where the file itself
            was given. It tells `one/song.wav` from `two/song.wav`.
    """

    path: Path
    relative: Path


@dataclass(frozen=True, slots=True)
class BadArgument:
    """What leads to no audio.

    Attributes:
        path: As it was given.
        error: Why.
    """

    path: Path
    error: InputError


def expand(
    arguments: Iterable[Path], *, exclude: Path | None = None
) -> tuple[list[FoundAudio], list[BadArgument]]:
    """Find the audio of several arguments, so that a bad one does not stop the others.

    Args:
        arguments: Files and directories.
        exclude: A directory to leave out, as in `find_audio`.

    Returns:
        The files in the order of the arguments, each once, and the arguments that are wrong.
    """
    found: dict[str, FoundAudio] = {}
    bad: list[BadArgument] = []
    for argument in arguments:
        try:
            for audio in find_audio(argument, exclude=exclude):
                # `Path.resolve` gives up on a link to itself, which must not stop the others.
                found.setdefault(os.path.realpath(audio.path), audio)
        except InputError as error:
            bad.append(BadArgument(argument, error))
    return list(found.values()), bad


def find_audio(argument: Path, *, exclude: Path | None = None) -> list[FoundAudio]:
    """Find the audio files that one argument names.

    A file is taken whatever its name; a directory is searched through for known extensions,
    without hidden files and folders (among them our own unfinished stems) and without following
    links to folders.

    Args:
        argument: A file or a directory.
        exclude: A directory below `argument` to leave out: usually that of the output, so that
            separating a folder twice does not separate the first run's stems.

    Returns:
        The files, sorted by path.

    Raises:
        InputError: If the argument does not exist, or is a directory that holds no audio or cannot
            be searched.
    """
    try:
        if not argument.is_dir():
            return [_file(argument)]
        found = sorted(_walk(argument, os.path.realpath(exclude) if exclude else None))
    except OSError as error:
        raise InputError(f"'{argument}' cannot be searched: {error.strerror}") from error
    if not found:
        raise InputError(f"no audio files in '{argument}': give a folder with wav, flac, mp3, …")
    return [FoundAudio(path, path.relative_to(argument)) for path in found]


def _file(argument: Path) -> FoundAudio:
    if not os.path.lexists(argument):
        raise InputError(f"'{argument}' does not exist: check the path")
    return FoundAudio(argument, Path(argument.name))


def _walk(top: Path, exclude: str | None) -> Iterator[Path]:
    def on_error(error: OSError) -> None:
        if error.filename == str(top):
            raise error
        _log.warning("skipped '%s': %s", error.filename, error.strerror)

    for folder, subfolders, files in os.walk(top, onerror=on_error):
        here = Path(folder)
        subfolders[:] = [
            name
            for name in subfolders
            if not name.startswith(".") and os.path.realpath(here / name) != exclude
        ]
        for name in files:
            if not name.startswith(".") and Path(name).suffix.lower() in AUDIO_EXTENSIONS:
                yield here / name
