"""Songs with known stems on disk: what training learns from and evaluation judges by.

One folder per song with one audio file per stem, as in MUSDB18-HQ, whose `train` and `test` are
such folders; what else lies there, such as `mixture.wav`, is left alone::

    data/
    ├── song-1/{drums,bass,other,vocals}.{wav,flac}
    └── song-2/...
"""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal

import numpy as np
import soundfile
import torch

from streamsep.errors import ConfigError, InputError
from streamsep.files.finding import AUDIO_EXTENSIONS
from streamsep.files.sndfile import SndfileReader

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

__all__ = ["Subset", "TrackFolder", "find_tracks"]

logger = logging.getLogger(__name__)

SUFFIXES = (".wav", ".flac")

Subset = Literal["train", "test"]
"""Half of a data set that keeps what to learn from and what to judge by in folders of their own."""


@dataclass(frozen=True, slots=True)
class TrackFolder:
    """One song on disk.

    Attributes:
        name: the folder's name.
        stems: the file of every stem, in the order of the sources.
        length: samples in the song, which ends with its shortest stem.
    """

    name: str
    stems: tuple[Path, ...]
    length: int

    def read(self, stem: int, start: int, length: int) -> Tensor:
        """Samples [C, length] of one stem from `start`, with zeros past the song's end.

        Raises:
            InputError: the file is damaged or holds samples that are not finite there, or it has
                become shorter or is gone.
        """
        path = self.stems[stem]
        try:
            with _opened(path) as file:
                audio = np.zeros((file.channels, length), dtype=np.float32)
                owed = min(length, max(0, self.length - start))
                if owed:
                    file.seek(start)
                    found = file.read(owed, dtype="float32", always_2d=True).T
                    audio[:, : found.shape[1]] = found
        except (OSError, soundfile.LibsndfileError) as error:
            raise InputError(
                f"'{path}' cannot be read from sample {start} on ({_reason(error)}); fetch it "
                "again or export it anew"
            ) from error
        if owed and found.shape[1] < owed:
            raise InputError(
                f"'{path}' is truncated: got {found.shape[1]} samples from sample {start} on, "
                f"expected {owed}; fetch it again or export it anew"
            )
        _check_finite(audio, path)
        return torch.from_numpy(audio)


def find_tracks(
    folder: Path,
    sources: Sequence[str],
    sample_rate: int,
    channels: int,
    *,
    stem_names: Mapping[str, str] | None = None,
    naming: str = "in 'stem_names'",
    subset: Subset | None = None,
) -> list[TrackFolder]:
    """All songs below a folder, in the order of their names.

    A folder that holds some of the stems must hold all of them; one that holds none is no song.

    Args:
        folder: holds one folder per song.
        sources: names of the stems.
        sample_rate: samples per second they must have.
        channels: channels they must have.
        stem_names: what the files of stems are called, without extension, by the stem; those that
            are not named are called like their stem.
        naming: how whoever wants these songs can say that, for messages.
        subset: look into the folder of this name instead, where there is one.

    Raises:
        ConfigError: `stem_names` names what is no stem, or one file for two.
        InputError: no song was found, or one lacks a stem or has one that cannot be read or has
            another sample rate or channel count.
    """
    names = _file_names(sources, stem_names or {}, naming)
    try:
        if not folder.is_dir():
            raise InputError(f"'{folder}' is no folder: give one that holds a folder per song")
        folder = _subset_of(folder, subset)
        found = {track: _stems_of(track, names, naming) for track in _subfolders(folder)}
        if not any(found.values()):
            raise _no_songs(folder, names, naming)
    except OSError as error:
        raise InputError(
            f"'{folder}' cannot be searched: {error.strerror}; check permissions"
        ) from error
    return [
        _checked_track(track, stems, sample_rate, channels)
        for track, stems in found.items()
        if stems
    ]


def _file_names(sources: Sequence[str], stem_names: Mapping[str, str], naming: str) -> list[str]:
    """What the file of every source is called, without its extension."""
    if unknown := sorted(set(stem_names) - set(sources)):
        raise ConfigError(
            f"got a name for '{unknown[0]}', which is no stem; expected {', '.join(sources)} "
            f"{naming}"
        )
    names = [stem_names.get(source, source) for source in sources]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"got '{twice[0]}' for two stems, expected a file for each {naming}")
    return names


def _subset_of(folder: Path, subset: Subset | None) -> Path:
    """The folder of a subset, unless a song happens to be called like one."""
    if subset is not None and (inner := folder / subset).is_dir() and _subfolders(inner):
        return inner
    return folder


def _subfolders(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")
    )


def _audio_files(folder: Path) -> list[Path]:
    """The files of a folder that look like audio, in the order of their names."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in AUDIO_EXTENSIONS and path.name[0] != "." and path.is_file()
    )


def _usable_files(folder: Path) -> dict[str, Path]:
    """The wav and flac files of a folder by their names without extension; a wav before a flac."""
    files = [path for path in _audio_files(folder) if path.suffix.lower() in SUFFIXES]
    return {path.stem: path for path in files}


def _stems_of(track: Path, names: Sequence[str], naming: str) -> tuple[Path, ...]:
    """The stems of a song in their order; none if the folder is not one.

    Raises:
        InputError: some of them are there, perhaps in another form, and others are not.
    """
    usable = _usable_files(track)
    missing = [name for name in names if name not in usable]
    if not missing:
        return tuple(usable[name] for name in names)
    stems = {usable[name] for name in names if name in usable}
    others = {path.stem.lower(): path.name for path in _audio_files(track) if path not in stems}
    if not stems and not others.keys() & {name.lower() for name in names}:
        return ()
    near = get_close_matches(missing[0].lower(), others, n=1, cutoff=0.4)
    hint = f" (is it '{others[near[0]]}'?)" if near else ""
    raise InputError(
        f"'{track}' has no {missing[0]}.wav or {missing[0]}.flac{hint}: it holds "
        f"{_listed(track)}; rename, convert or add the stem, say {naming} what it is called, or "
        "move the song elsewhere"
    )


def _checked_track(
    track: Path, stems: tuple[Path, ...], sample_rate: int, channels: int
) -> TrackFolder:
    """A song whose files fit the network; a word about stems that end at different times."""
    lengths = [_checked_length(file, sample_rate, channels) for file in stems]
    shortest, longest = min(lengths), max(lengths)
    if longest - shortest > sample_rate:
        logger.warning(
            "'%s' has stems of different lengths, from '%s' with %d samples to '%s' with %d; "
            "the song ends with the shortest: pad it with silence if it should go on",
            track,
            stems[lengths.index(shortest)].name,
            shortest,
            stems[lengths.index(longest)].name,
            longest,
        )
    return TrackFolder(track.name, stems, shortest)


def _checked_length(file: Path, sample_rate: int, channels: int) -> int:
    """The samples in a stem's file, once it is known to fit the network."""
    try:
        reader = SndfileReader(file)
    except (OSError, soundfile.LibsndfileError) as error:
        raise InputError(
            f"'{file}' cannot be read as audio ({_reason(error)}); replace it"
        ) from error
    if (reader.sample_rate, reader.channels) != (sample_rate, channels):
        raise InputError(
            f"'{file}': got {reader.sample_rate} Hz and {reader.channels} channels, expected "
            f"{sample_rate} Hz and {channels}; convert it first"
        )
    if reader.frames is None:
        raise InputError(
            f"'{file}' does not tell its length, as a flac that was written into a pipe: encode it "
            "anew, with 'flac' or ffmpeg, into a file"
        )
    return reader.frames


def _no_songs(folder: Path, names: Sequence[str], naming: str) -> InputError:
    """Why there are none: the wrong folder, other names, or nothing at all."""
    wanted = f"no folder with the stems {', '.join(names)} as .wav or .flac was found in '{folder}'"
    if set(names) & set(_usable_files(folder)):
        return InputError(f"{wanted}: it is a song itself; give '{folder.resolve().parent}'")
    subfolders = _subfolders(folder)
    for inner in subfolders:
        if any(set(names) & set(_usable_files(song)) for song in _subfolders(inner)):
            return InputError(f"{wanted}, but deeper there is; give '{inner}'")
    for inner in subfolders:
        if _audio_files(inner):
            return InputError(
                f"{wanted}: '{inner.name}' holds {_listed(inner)}; rename the files, or say "
                f"{naming} what they are called"
            )
    return InputError(f"{wanted}; make songs with 'streamsep render' or give a folder of songs")


def _listed(folder: Path, most: int = 8) -> str:
    """The audio of a folder by name, or the first of it."""
    names = [path.name for path in _audio_files(folder)]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _opened(path: Path) -> soundfile.SoundFile:
    # soundfile encodes names strictly, and not every name on a disk is text.
    return soundfile.SoundFile(path if sys.platform == "win32" else os.fsencode(path))


def _reason(error: Exception) -> str:
    reason = getattr(error, "error_string", None) or getattr(error, "strerror", None) or error
    return str(reason).rstrip(".")


def _check_finite(audio: NDArray[np.float32], path: Path) -> None:
    # A finite sum proves finite terms; the sum of huge finite ones may overflow.
    if not np.isfinite(audio.sum(dtype=np.float64)) and not np.isfinite(audio).all():
        raise InputError(f"'{path}' holds samples that are NaN or infinite; export it anew")
