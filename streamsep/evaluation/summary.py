"""From the scores of single songs to the figures that are quoted.

Of nSDR the mean over songs is quoted, of BSS Eval the median over songs (of the median over
frames). "all" is the mean over the stems. A song that one of the methods could not be judged on
counts for none: figures are only compared over the same songs.

Source: "Hybrid Spectrogram and Waveform Source Separation", section "Metrics", for nSDR and SDR.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from streamsep.evaluation.scores import SongScores

__all__ = ["ALL", "FALSE_LEVEL", "MEASURES", "NSDR", "Measure", "Summary", "summarise"]

ALL = "all"
"""Stands for the mean over the stems."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure that is quoted.

    Attributes:
        key: the field of `StemScores`.
        label: what people call it.
        average: how songs are averaged.
        meaning: one line for readers of a report.
    """

    key: str
    label: str
    average: Literal["mean", "median"]
    meaning: str

    def over_songs(self, values: Sequence[float]) -> float | None:
        """The average of the songs that have a value."""
        if not values:
            return None
        return statistics.fmean(values) if self.average == "mean" else statistics.median(values)


NSDR = Measure(
    "nsdr_db",
    "nSDR",
    "mean",
    "whole-song signal over error, mean over songs; silence scores 0, higher is better",
)
FALSE_LEVEL = Measure(
    "false_db",
    "false level",
    "median",
    "estimate against the mixture where the stem is silent, median over songs; lower is better",
)
MEASURES = (
    NSDR,
    Measure("sdr_db", "SDR", "median", "BSS Eval v4: all errors; median over frames, then songs"),
    Measure("isr_db", "ISR", "median", "BSS Eval v4: errors of the stem's own filtering and image"),
    Measure("sir_db", "SIR", "median", "BSS Eval v4: what is heard of the other stems"),
    Measure("sar_db", "SAR", "median", "BSS Eval v4: what is heard of no stem at all"),
    FALSE_LEVEL,
)


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of one evaluation.

    Attributes:
        sources: names of the stems.
        songs: the songs that count, by method and then by name.
    """

    sources: tuple[str, ...]
    songs: Mapping[str, Mapping[str, SongScores]]

    def values(self, measure: Measure, method: str, stem: str) -> list[float]:
        """What the songs scored, without those where the figure has no meaning."""
        songs = self.songs.get(method, {}).values()
        scores = (getattr(song.stems[stem], measure.key) for song in songs)
        return [score for score in scores if score is not None]

    def figure(self, measure: Measure, method: str, stem: str) -> float | None:
        """The average over songs, or over songs and stems for `ALL`; None where there is none."""
        if stem != ALL:
            return measure.over_songs(self.values(measure, method, stem))
        figures = [self.figure(measure, method, source) for source in self.sources]
        known = [figure for figure in figures if figure is not None]
        return statistics.fmean(known) if known else None

    @property
    def measures(self) -> list[Measure]:
        """The measures that any method has a figure of."""
        return [
            measure
            for measure in MEASURES
            if any(self.figure(measure, method, ALL) is not None for method in self.songs)
        ]

    def only(self, methods: Collection[str]) -> Summary:
        """The same songs, by some of the methods."""
        return Summary(self.sources, {m: s for m, s in self.songs.items() if m in methods})

    @property
    def song_count(self) -> int:
        """How many songs count."""
        return len(next(iter(self.songs.values()), {}))


def summarise(scores: Sequence[SongScores], sources: Sequence[str]) -> Summary:
    """Collect scores, in the order of their methods' first appearance."""
    by_method: dict[str, dict[str, SongScores]] = {}
    for score in scores:
        by_method.setdefault(score.method, {})[score.song] = score
    complete = set.intersection(*map(set, by_method.values())) if by_method else set()
    return Summary(
        tuple(sources),
        {
            method: {name: song for name, song in songs.items() if name in complete}
            for method, songs in by_method.items()
        },
    )
