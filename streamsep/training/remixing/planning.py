"""Who lends which stem to whom.

A remix has the beat and the key of its host and keeps one of the host's stems, a different one from
copy to copy. Every other stem comes from a guest drawn from those that fit, if possible each from
another, and remains the host's own where nobody fits. A remix lasts while all its songs play.

Tempo that wavers, or that the tracker got wrong, shows when the beats are laid onto each other: too
few of them meet. Such a guest does not fit either. (Of procedurally rendered songs, pairs whose
tempos were right met in 85 to 100 % of their beats, others in 40 to 60 %.)

What is drawn depends on the songs, the settings and the copy's number, not on how many copies are
wanted or in which order they are made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from streamsep.config.yaml_file import Document
from streamsep.files.stamps import FileStamp
from streamsep.training.remixing.alignment import FURTHEST_S, beat_lag, meeting_share
from streamsep.training.remixing.analysis import DRUMS
from streamsep.training.remixing.matching import Fit, RemixSettings, fit_guest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from streamsep.training.remixing.analysis import SongAnalysis

__all__ = ["LEAST_MEETING", "Part", "Recipe", "name_of", "plan_remixes"]

LEAST_MEETING = 0.75
"""The share of beats that must meet."""


class Part(Document):
    """Where one stem of a remix comes from and what happens to it, in this order.

    Attributes:
        stem: which.
        song: whose.
        start: samples of silence left out before the song.
        speed: new tempo over old tempo.
        semitones: transposition.
        skip: samples of the changed stem left out before the remix begins.
        beats_met: share of beats that meet the host's within 50 ms, as far as both have beats.
    """

    stem: str
    song: str
    start: int
    speed: float
    semitones: int
    skip: int
    beats_met: float


class Recipe(Document):
    """One remix.

    Attributes:
        name: the remix's.
        host: the song whose beat and key it has.
        settings: what it was drawn with.
        sample_rate: samples per second.
        length: samples of the remix.
        beats_per_minute: its tempo.
        parts: its stems.
        sources: by the names of its songs, the stamps of their files, which tell that one has
            changed since; empty while the remix is only planned, and of remixes from before there
            were stamps.
    """

    name: str
    host: str
    settings: RemixSettings
    sample_rate: int
    length: int
    beats_per_minute: float
    parts: tuple[Part, ...]
    sources: dict[str, tuple[FileStamp, ...]] = Field(default_factory=dict)


def plan_remixes(
    songs: Mapping[str, SongAnalysis],
    stems: Sequence[str],
    *,
    sample_rate: int,
    copies: int,
    settings: RemixSettings,
) -> list[Recipe]:
    """Draw the remixes of a set of songs.

    Args:
        songs: what was heard of every song, by name.
        stems: the stems that every song has.
        sample_rate: samples per second.
        copies: how often every song is host, at least 1. Where few songs fit there are fewer: two
            remixes of the same stems of the same songs are one.
        settings: limits and seed.

    Returns:
        Recipes whose names are the host's with the number of the copy.
    """
    recipes = []
    for host in songs:
        guests = _Guests(host, songs, sample_rate, settings)
        for copy, cast in _draw(guests, stems, copies, settings.seed):
            recipes.append(guests.recipe(name_of(host, copy), cast))
    return recipes


def name_of(host: str, copy: int) -> str:
    """The name of a remix."""
    return f"{host}-remix-{copy}"


class _Guests:
    """The songs that fit a host, and how a remix comes of some of them."""

    def __init__(
        self,
        host: str,
        songs: Mapping[str, SongAnalysis],
        sample_rate: int,
        settings: RemixSettings,
    ) -> None:
        self.songs = songs
        self.sample_rate = sample_rate
        self.settings = settings
        self.itself = Fit(host, 1.0, 0, songs[host].sounding)
        fits = (
            fit_guest(name, song, songs[host], settings)
            for name, song in songs.items()
            if name != host
        )
        self.fits = [fit for fit in fits if fit is not None]
        self._lags = {host: 0.0}

    def recipe(self, name: str, cast: Mapping[str, Fit]) -> Recipe:
        """The remix in which every stem comes from the song that the cast names."""
        starts = {stem: round(self._lag(fit) * self.sample_rate) for stem, fit in cast.items()}
        ends = {stem: starts[stem] + self._length(fit) for stem, fit in cast.items()}
        begin, end = max(starts.values()), min(ends.values())
        assert begin < end, "songs that fit overlap"
        parts = [
            Part(
                stem=stem,
                song=fit.song,
                start=self.songs[fit.song].start,
                speed=fit.speed,
                semitones=0 if stem == DRUMS else fit.semitones or 0,
                skip=begin - starts[stem],
                beats_met=self.beats_met(fit),
            )
            for stem, fit in cast.items()
        ]
        host = self.songs[self.itself.song]
        return Recipe(
            name=name,
            host=self.itself.song,
            settings=self.settings,
            sample_rate=self.sample_rate,
            length=end - begin,
            beats_per_minute=round(60.0 / host.period_s, 3),
            parts=tuple(parts),
        )

    def beats_met(self, fit: Fit) -> float:
        """The share of a guest's beats that meet the host's, see `meeting_share`."""
        moved = self._beats(fit) + self._lag(fit)
        return round(meeting_share(self._beats(self.itself), moved), 3)

    def _lag(self, fit: Fit) -> float:
        """Seconds by which a guest must start after the host."""
        if fit.song not in self._lags:
            # A quarter, so that all guests that fit still play together for a while.
            shorter = min(self._length(self.itself), self._length(fit)) / self.sample_rate
            host, guest = self._beats(self.itself), self._beats(fit)
            self._lags[fit.song] = beat_lag(host, guest, min(FURTHEST_S, shorter / 4.0))
        return self._lags[fit.song]

    def _beats(self, fit: Fit) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array(self.songs[fit.song].beats) / fit.speed

    def _length(self, fit: Fit) -> int:
        return int(self.songs[fit.song].length / fit.speed)


def _draw(
    guests: _Guests, stems: Sequence[str], copies: int, seed: int
) -> Iterator[tuple[int, dict[str, Fit]]]:
    """The number and the cast of every copy that is like no copy before it."""
    rng = np.random.default_rng([seed, *guests.itself.song.encode()])
    kept = rng.permutation([stem for stem in stems if guests.itself.lends(stem)])
    seen = set()
    for copy in range(copies if kept.size and guests.fits else 0):
        cast = _cast(guests, stems, str(kept[copy % kept.size]), rng)
        songs = tuple(cast[stem].song for stem in stems)
        if songs not in seen and set(songs) != {guests.itself.song}:
            seen.add(songs)
            yield copy, cast


def _cast(
    guests: _Guests, stems: Sequence[str], kept: str, rng: np.random.Generator
) -> dict[str, Fit]:
    """A song for every stem; the host for the one it keeps."""
    cast: dict[str, Fit] = {}
    for stem in stems:
        queue = [guests.fits[number] for number in rng.permutation(len(guests.fits))]
        queue.sort(key=lambda fit: fit in cast.values())  # who lends nothing yet comes first
        willing = (fit for fit in queue if stem != kept and fit.lends(stem))
        aligned = (fit for fit in willing if guests.beats_met(fit) >= LEAST_MEETING)
        cast[stem] = next(aligned, guests.itself)
    return cast
