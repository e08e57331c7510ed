"""The songs an evaluation is about: checked before any work is done, and read in blocks.

Stems must lie under each other: same rate, same channels, same length. One that ends early was
perhaps cut at its start, and every sample of it would count as an error of the network.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from streamsep.errors import InputError
from streamsep.files import TrackFolder, find_tracks, open_audio

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from streamsep.files import AudioReader

__all__ = ["Song", "find_songs"]

BLOCK = 1 << 16
"""Samples per block that is read; no score depends on it."""


@dataclass(frozen=True, slots=True)
class Song:
    """One song with known stems.

    Attributes:
        track: its stems on disk, all of one length.
        sample_rate: samples per second.
        channels: channels C of every stem.
        mixture: the file of the mixture; None if the mixture is the sum of the stems.
    """

    track: TrackFolder
    sample_rate: int
    channels: int
    mixture: Path | None = None

    @property
    def name(self) -> str:
        """The name of its folder, with what is not text in it replaced."""
        return self.track.name.encode(errors="replace").decode()

    @property
    def frames(self) -> int:
        """Samples per channel."""
        return self.track.length

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that it is read from."""
        return self.track.stems if self.mixture is None else (*self.track.stems, self.mixture)

    def blocks(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Read the whole song once.

        Yields:
            The stems [S, C, t] and the mixture [C, t], t from 1.

        Raises:
            InputError: a file is damaged, or holds samples that are not finite.
        """
        with ExitStack() as stack:
            readers = [stack.enter_context(open_audio(path)) for path in self.files]
            passes = [reader.blocks(BLOCK) for reader in readers]
            for blocks in zip(*passes, strict=False):
                _check_blocks(blocks, readers)
                stems = torch.stack(blocks[: len(self.track.stems)])
                yield stems, stems.sum(0) if self.mixture is None else blocks[-1]

    def mixture_blocks(self) -> Iterator[Tensor]:
        """The mixture alone, as blocks [C, t]."""
        for _, mixture in self.blocks():
            yield mixture


def find_songs(
    folder: Path,
    sources: Sequence[str],
    sample_rate: int,
    channels: int,
    *,
    stem_names: Mapping[str, str] | None = None,
    use_mixture_file: bool = False,
) -> list[Song]:
    """All songs below a folder, in the order of their names.

    Args:
        folder: holds one folder per song, with one wav or flac file per stem; or a folder `test`
            that does.
        sources: names of the stems.
        sample_rate: samples per second they must have.
        channels: channels they must have.
        stem_names: what the files of stems are called, as of `find_tracks`.
        use_mixture_file: take `mixture.wav` or `.flac` beside the stems for the mixture. Songs on
            disk rarely are exactly the sum of their stems, so the sum is the default.

    Raises:
        ConfigError: `stem_names` names what is no stem, or one file for two.
        InputError: there is no song; a song lacks a stem or its mixture; a file cannot be read or
            does not fit the network or its neighbours.
    """
    tracks = find_tracks(
        folder,
        sources,
        sample_rate,
        channels,
        stem_names=stem_names,
        naming="with --stem-name STEM=NAME",
        subset="test",
    )
    songs = [Song(track, sample_rate, channels) for track in tracks]
    if use_mixture_file:
        songs = [replace(song, mixture=_mixture_file(song)) for song in songs]
    for song in songs:
        _check_lengths(song)
    return songs


def _check_blocks(blocks: Sequence[Tensor], readers: Sequence[AudioReader]) -> None:
    longest = max(block.shape[-1] for block in blocks)
    for block, reader in zip(blocks, readers, strict=True):
        if block.shape[-1] < longest:
            raise InputError(
                f"'{reader.path}' is truncated: it ends before the song's other files; fetch it "
                "again or export it anew"
            )
        if not bool(torch.isfinite(block).all()):
            raise InputError(
                f"'{reader.path}' holds samples that are NaN or infinite; export it anew"
            )


def _mixture_file(song: Song) -> Path:
    folder = song.track.stems[0].parent
    for suffix in (".wav", ".flac"):
        path = folder / f"mixture{suffix}"
        if path.is_file():
            return path
    raise InputError(
        f"'{folder}' has no mixture.wav or mixture.flac; add it, or take the sum of the stems for "
        "the mixture by leaving out --use-mixture-file"
    )


def _check_lengths(song: Song) -> None:
    lengths = {}
    for path in song.files:
        with open_audio(path) as reader:
            lengths[path.name] = reader.frames
            if (reader.sample_rate, reader.channels) != (song.sample_rate, song.channels):
                raise InputError(
                    f"'{path}' has {reader.sample_rate} Hz and {reader.channels} channels, its "
                    f"stems {song.sample_rate} Hz and {song.channels}; convert it first"
                )
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} {frames}" for name, frames in lengths.items())
        raise InputError(
            f"the files of the song '{song.name}' differ in length ({found} samples): they may not "
            "lie under each other; export them anew, or pad the short ones with silence"
        )
