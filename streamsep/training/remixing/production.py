"""Remixes of a folder of songs, as a folder of songs.

    out/
    ├── song-1-remix-0/   drums.flac  bass.flac  other.flac  vocals.flac  remix.json
    ├── song-1-remix-1/   ...
    ├── remix.csv         which stem came from where, and what happened to it
    └── .analysis/        what was heard of the songs

A remix appears under its name only when it is whole, with the recipe it was made by, and what
exists is not made again. The recipe has the stamps of its songs' files, taken before they were
heard: a remix of songs that have changed since is not taken for one of the songs of today, and is
refused before they are heard.
"""

from __future__ import annotations

import csv
import functools
import io
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamsep.errors import ConfigError, InputError
from streamsep.files import find_tracks
from streamsep.files.output import write_whole
from streamsep.files.stamps import stamp_of
from streamsep.synthesis.score import STEMS
from streamsep.training.alone import alone_in
from streamsep.training.dataset import split_tracks
from streamsep.training.remixing.analysis import (
    LEAST_BEATS,
    SongAnalysis,
    analyse,
    prepare_to_listen,
)
from streamsep.training.remixing.analysis_cache import AnalysisCache
from streamsep.training.remixing.made_before import (
    RECIPE,
    check_made_before,
    check_same,
    find_made_before,
)
from streamsep.training.remixing.mixing import mix_remix
from streamsep.training.remixing.planning import Recipe, plan_remixes
from streamsep.training.whole_songs import clear_away, whole_folder, write_stems
from streamsep.training.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from streamsep.files import TrackFolder
    from streamsep.files.stamps import FileStamp
    from streamsep.training.remixing.made_before import Sources
    from streamsep.training.remixing.matching import RemixSettings

__all__ = ["TABLE", "Remixes", "remix_songs"]

_log = logging.getLogger(__name__)

TABLE = "remix.csv"
"""The file beside the remixes that says it of all of them, a line per stem."""

_SAMPLE_RATE = 44_100
_CHANNELS = 2


@dataclass(frozen=True, slots=True)
class Remixes:
    """What came of a folder of songs.

    Attributes:
        folders: the remixes, those that were there before included.
        hosts: how many songs were remixed.
        songs: how many there were.
    """

    folders: list[Path]
    hosts: int
    songs: int


def remix_songs(
    data: Path,
    out: Path,
    *,
    copies: int,
    settings: RemixSettings,
    jobs: int,
    validation_share: float = 0.0,
    stem_names: Mapping[str, str] | None = None,
) -> Remixes:
    """Combine songs with songs that fit them, in parallel processes, with a progress bar.

    Songs without a beat are left out; songs with a silent bass take and lend drums only. Both are
    logged. Songs that training holds out to judge by take no part: a network that has learnt from
    their stems cannot be judged by them.

    Args:
        data: folder of songs, stereo at 44.1 kHz; if it has a folder ``train``, then that.
        out: folder for the remixes; made where missing.
        copies: remixes per song, at least 1; fewer where few songs fit.
        settings: limits and seed.
        jobs: songs worked on at the same time, at least 1.
        validation_share: share of the songs that training held out, as in its configuration; the
            official ones of MUSDB18 always are.
        stem_names: what the files of stems are called, as of `find_tracks`.

    Raises:
        ConfigError: a number is out of range, `out` is `data`, or `stem_names` names what is no
            stem, or one file for two.
        InputError: there are no songs, one cannot be read or has a name that is no text, or no two
            of them fit.
        MissingToolError: the extra ``training`` is not installed.
        OutputError: `out` cannot be written, or holds remixes made in another way.
    """
    if copies < 1 or jobs < 1:
        raise ConfigError(f"{copies} copies with {jobs} jobs: expected at least 1 of each")
    if data.resolve() == out.resolve():
        raise ConfigError(f"the remixes of {data} cannot lie among its songs; name another folder")
    found = find_tracks(
        data,
        STEMS,
        _SAMPLE_RATE,
        _CHANNELS,
        stem_names=stem_names,
        naming="with --stem-name STEM=NAME",
        subset="train",
    )
    found, _ = split_tracks(found, validation_share)
    tracks = {track.name: track for track in found}
    for name in tracks:
        _check_is_text(name, data)
    with alone_in(out):
        sources = {
            name: tuple(stamp_of(path) for path in track.stems) for name, track in tracks.items()
        }
        made = find_made_before(out, sources, copies)
        check_made_before(made, sources, settings)
        if jobs > 1:
            prepare_to_listen(_SAMPLE_RATE)
        with Workshop(jobs) as workshop:
            songs = _listen(workshop, tracks, sources, AnalysisCache(out / ".analysis"))
            recipes = plan_remixes(
                _usable(songs), STEMS, sample_rate=_SAMPLE_RATE, copies=copies, settings=settings
            )
            if not recipes:
                raise InputError(
                    f"no two of the {len(songs)} songs in {data} fit within "
                    f"{settings.max_semitones} semitones and {settings.max_tempo:.0%} of tempo; "
                    "add songs or allow more (--max-semitones, --max-tempo)"
                )
            recipes = [_with_sources(recipe, sources) for recipe in recipes]
            _make(workshop, {out / recipe.name: recipe for recipe in recipes}, tracks, made)
        _write_table(out / TABLE, recipes)
        clear_away(out)
    return Remixes(
        [out / recipe.name for recipe in recipes],
        hosts=len({recipe.host for recipe in recipes}),
        songs=len(songs),
    )


def _check_is_text(name: str, data: Path) -> None:
    """Refuse a song that a table could not name, before hours of listening."""
    shown = name.encode(errors="replace").decode()
    if shown != name:
        raise InputError(f"the folder '{shown}' in {data} has a name that is not UTF-8; rename it")


def _listen(
    workshop: Workshop,
    tracks: Mapping[str, TrackFolder],
    sources: Sources,
    cache: AnalysisCache,
) -> dict[str, SongAnalysis]:
    """Analyse all songs, as far as that was not done before."""
    known = {name: cache.find(name, sources[name]) for name in tracks}
    unknown = [name for name, analysis in known.items() if analysis is None]
    heard = workshop.do(
        functools.partial(_listen_to, cache),
        [(tracks[name], sources[name]) for name in unknown],
        title="listening to songs",
        done_before=len(tracks) - len(unknown),
    )
    fresh = dict(zip(unknown, heard, strict=True))
    return {name: analysis or fresh[name] for name, analysis in known.items()}


def _listen_to(
    cache: AnalysisCache, song: tuple[TrackFolder, tuple[FileStamp, ...]]
) -> SongAnalysis:
    track, files = song
    analysis = analyse(track, STEMS, _SAMPLE_RATE)
    cache.keep(track.name, files, analysis)
    return analysis


def _usable(songs: Mapping[str, SongAnalysis]) -> dict[str, SongAnalysis]:
    """The songs that have a beat."""
    for name, song in songs.items():
        if not song.beats:
            _log.warning("%s: left out, its drums have fewer than %d beats", name, LEAST_BEATS)
        elif not song.chroma:
            _log.warning("%s: its bass is silent, so it takes and lends drums only", name)
    return {name: song for name, song in songs.items() if song.beats}


def _with_sources(recipe: Recipe, sources: Sources) -> Recipe:
    """The recipe of a remix of these files; of all stems, as drums and bass decide what fits."""
    songs = dict.fromkeys(part.song for part in recipe.parts)
    return recipe.model_copy(update={"sources": {song: sources[song] for song in songs}})


@dataclass(frozen=True, slots=True)
class _Order:
    """One remix to make; crosses to the worker process."""

    folder: Path
    recipe: Recipe
    tracks: dict[str, TrackFolder]


def _make(
    workshop: Workshop,
    recipes: Mapping[Path, Recipe],
    tracks: Mapping[str, TrackFolder],
    made: Mapping[Path, Recipe],
) -> None:
    """Make the remixes that are not there yet."""
    orders = []
    for folder, recipe in recipes.items():
        if folder in made:
            check_same(folder, made[folder], recipe)
        else:
            needed = {part.song: tracks[part.song] for part in recipe.parts}
            orders.append(_Order(folder, recipe, needed))
    done_before = len(recipes) - len(orders)
    workshop.do(_remix, orders, title="remixing songs", done_before=done_before)


def _remix(order: _Order) -> None:
    """Make one remix in this process."""
    stems = mix_remix(order.recipe, order.tracks)
    with whole_folder(order.folder) as folder:
        write_stems(folder, stems, order.recipe.sample_rate)
        (folder / RECIPE).write_text(order.recipe.model_dump_json(indent=2) + "\n", "utf-8")


def _write_table(path: Path, recipes: Sequence[Recipe]) -> None:
    columns = ("remix", "stem", "song", "semitones", "speed", "start", "skip", "beats_met")
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(columns)
    for recipe in recipes:
        for part in recipe.parts:
            known = part.model_dump()
            table.writerow([recipe.name, *(known[column] for column in columns[1:])])
    write_whole(path, text.getvalue())
