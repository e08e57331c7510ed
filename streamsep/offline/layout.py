"""Where the stems of a track go: `<out>/<model>/<track>/<stem>.<ext>`, or as the user says."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from streamsep.files import FoundAudio

__all__ = ["DEFAULT_TEMPLATE", "OutputLayout", "track_names"]

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

    Files that would share a name (`song.wav` beside `song.flac`) keep their extension; whole
    doubles from different arguments get a number.
    """
    plain = [_without_extension(audio.relative) for audio in found]
    shared = {name for name, count in Counter(plain).items() if count > 1}
    wanted = [
        audio.relative if name in shared else name for audio, name in zip(found, plain, strict=True)
    ]
    taken: dict[Path, None] = {}
    for name in wanted:
        unique, number = name, 1
        while unique in taken:
            number += 1
            unique = name.with_name(f"{name.name}-{number}")
        taken[unique] = None
    return list(taken)


def _without_extension(path: Path) -> Path:
    # `...wav` without its extension would be `..`, the folder above.
    return path.with_suffix("") if path.stem.strip(".") else path
