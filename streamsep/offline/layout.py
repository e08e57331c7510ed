"""Where the stems of a track go: `<out>/<model>/<track>/<stem>.<ext>`, or as the user says."""

from __future__ import annotations

import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamsep.files import FoundAudio

__all__ = ["DEFAULT_TEMPLATE", "OutputLayout", "alike", "track_names"]

DEFAULT_TEMPLATE = "{track}/{stem}.{ext}"


@dataclass(frozen=True, slots=True)
class OutputLayout:
    """Names the files of stems.

    Attributes:
        root: folder that takes everything.
        model: name of the network, which gets a folder of its own.
        template: path below that folder; `{track}` is the track's name, `{trackext}` the
            extension of its file, `{stem}` the stem's name and `{ext}` the extension to write.
        several: whether a track becomes several files, which the template must tell apart.

    Raises:
        ConfigError: the template names something else, or does not tell stems apart.
    """

    root: Path
    model: str
    template: str = DEFAULT_TEMPLATE
    several: bool = True

    def __post_init__(self) -> None:
        try:
            names = {self._fill("track", "wav", stem, "wav") for stem in ("drums", "bass")}
        except (LookupError, ValueError, AttributeError, TypeError) as error:
            raise ConfigError(
                f"filename template {self.template!r} cannot be filled in ({error}); "
                "use {track}, {trackext}, {stem} and {ext}"
            ) from None
        if self.several and len(names) < 2:
            raise ConfigError(
                f"filename template {self.template!r} gives every stem the same name; add {{stem}}"
            )

    @property
    def folder(self) -> Path:
        """The folder of this network's stems."""
        return self.root / self.model

    def stem_path(self, track: Path, source: Path, stem: str, ext: str) -> Path:
        """The file of one stem.

        Args:
            track: name of the track, with the folders it lies in; see `track_names`.
            source: the file that is separated.
            stem: name of the stem.
            ext: extension without a dot.
        """
        filled = self._fill(track.name, source.suffix.lstrip("."), stem, ext)
        return self.folder / track.parent / filled

    def _fill(self, track: str, trackext: str, stem: str, ext: str) -> str:
        return self.template.format(track=track, trackext=trackext, stem=stem, ext=ext)


def track_names(found: Sequence[FoundAudio]) -> list[Path]:
    """A name for every file: its relative path without extension.

    Files of different arguments that would share a name are told apart by the folders above, as
    many as are needed: `one/song` and `two/song`. Those of one folder keep their extension
    (`song.wav` beside `song.flac`). So what a name stands for depends neither on the order of the
    arguments nor on further doubles. Only what neither tells apart, such as a file that is given
    twice, gets a number.

    No two names are `alike`.
    """
    outer = [_outer_folders(audio) for audio in found]
    names = _told_apart(found, outer)
    taken: set[str] = set()
    for index in sorted(range(len(names)), key=lambda index: found[index].path):
        name, number = names[index], 1
        while alike(names[index]) in taken:
            number += 1
            names[index] = name.with_name(f"{name.name}-{number}")
        taken.add(alike(names[index]))
    return names


def alike(path: Path) -> str:
    """What two paths share that may be one file: many disks do not tell `é` from `É`.

    Nor do all of them tell a letter from the same letter that is put together of two characters.
    """
    return unicodedata.normalize("NFC", str(path)).casefold()


def _told_apart(found: Sequence[FoundAudio], outer: Sequence[tuple[str, ...]]) -> list[Path]:
    """Add folders and extensions to the names that are alike, as far as that helps.

    Args:
        found: the files.
        outer: for each the folders above its relative path, the outermost first.
    """
    names = [_without_extension(audio.relative) for audio in found]
    depths = [0] * len(found)
    while True:
        below = [
            Path(*folders[len(folders) - depth :], name)
            for name, folders, depth in zip(names, outer, depths, strict=True)
        ]
        changed = False
        for group in _groups(below):
            elsewhere = len({alike(Path(*outer[index])) for index in group}) > 1
            for index in group:
                if elsewhere and depths[index] < len(outer[index]):
                    depths[index] += 1
                    changed = True
                elif not elsewhere and names[index] != found[index].relative:
                    names[index] = found[index].relative
                    changed = True
        if not changed:
            return below


def _groups(names: Sequence[Path]) -> list[list[int]]:
    """The indices of names that are alike, two or more in each group."""
    groups: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        groups.setdefault(alike(name), []).append(index)
    return [group for group in groups.values() if len(group) > 1]


def _outer_folders(audio: FoundAudio) -> tuple[str, ...]:
    # Without following links: a song may be a link to where songs have other names.
    parts = Path(os.path.normpath(audio.path.absolute())).parts
    return parts[1 : len(parts) - len(audio.relative.parts)]


def _without_extension(path: Path) -> Path:
    # `...wav` without its extension would be `..`, the folder above.
    return path.with_suffix("") if path.stem.strip(".") else path
