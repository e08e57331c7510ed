"""Results as tables of text, for the screen, for Markdown and for the page alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamsep.evaluation.summary import ALL, NSDR
from streamsep.evaluation.sweep import best_by_latency

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamsep.evaluation.methods import Method
    from streamsep.evaluation.summary import Measure, Summary
    from streamsep.evaluation.sweep import SweepPoint

__all__ = ["Table", "result_tables", "song_table"]


@dataclass(frozen=True, slots=True)
class Table:
    """Text in rows and columns; the first column is words, the others are numbers.

    Attributes:
        title: a few words.
        note: what the figures mean, one line.
        headings: of the columns.
        rows: as many cells each as there are headings.
    """

    title: str
    note: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def result_tables(
    summary: Summary,
    methods: Sequence[Method],
    sample_rate: int,
    sweep: Sequence[SweepPoint] = (),
) -> list[Table]:
    """A table for every measure that has figures, and one for a sweep.

    Args:
        summary: the figures.
        methods: the rows.
        sample_rate: samples per second, for latencies in milliseconds.
        sweep: the points of a sweep; shown are those that nothing faster beats.
    """
    tables = [
        _measure_table(measure, summary, methods, sample_rate) for measure in summary.measures
    ]
    if sweep:
        tables.append(_sweep_table(sweep, summary.sources, sample_rate))
    return tables


def song_table(summary: Summary, method: str) -> Table:
    """The nSDR of every song by one method."""
    stems = summary.sources
    rows = [
        (name, *(_figure(scores.stems[stem].nsdr_db) for stem in stems))
        for name, scores in summary.songs.get(method, {}).items()
    ]
    return Table(f"Songs, {method}", "nSDR in dB", ("song", *stems), tuple(rows))


def _measure_table(
    measure: Measure, summary: Summary, methods: Sequence[Method], sample_rate: int
) -> Table:
    stems = (*summary.sources, ALL)
    rows = [
        (
            method.name,
            _latency(method.latency, sample_rate),
            *(_figure(summary.figure(measure, method.name, stem)) for stem in stems),
        )
        for method in methods
    ]
    return Table(
        f"{measure.label} in dB",
        "; ".join([measure.meaning, *_absences(measure, summary)]),
        ("method", "latency", *stems),
        tuple(rows),
    )


def _absences(measure: Measure, summary: Summary) -> list[str]:
    """For stems that some songs say nothing about: how many do."""
    method = next(iter(summary.songs))
    counts = {stem: len(summary.values(measure, method, stem)) for stem in summary.sources}
    return [
        f"{stem}: {count} of {summary.song_count} songs"
        for stem, count in counts.items()
        if count < summary.song_count
    ]


def _sweep_table(points: Sequence[SweepPoint], sources: Sequence[str], sample_rate: int) -> Table:
    stems = (*sources, ALL)
    note = (
        f"{NSDR.label} in dB of the tilings that no other one beats at their latency or a shorter "
        "one; lengths in samples"
    )
    priced = all(point.passes is not None for point in points)
    if priced:
        note += "; passes is the price: how often a sample goes through the network"
    rows = [
        (
            _latency(point.tiling.latency, sample_rate),
            str(point.tiling.hop),
            str(point.tiling.look_ahead),
            str(point.tiling.segment),
            *([f"{point.passes:.1f}"] if priced else []),
            *(_figure(point.nsdr_db[stem]) for stem in stems),
        )
        for point in best_by_latency(points)
    ]
    headings = ("latency", "hop", "look-ahead", "segment", *(["passes"] if priced else []), *stems)
    return Table("Quality against latency", note, headings, tuple(rows))


def _latency(latency: int | None, sample_rate: int) -> str:
    return "" if latency is None else f"{1000 * latency / sample_rate:.0f} ms"


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
