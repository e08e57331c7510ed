"""Figures of an evaluation: scores over songs as boxes, and quality against latency."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from matplotlib import rc_context
from matplotlib.figure import Figure

from streamsep.evaluation.summary import ALL, NSDR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from streamsep.evaluation.methods import Method
    from streamsep.evaluation.summary import Summary
    from streamsep.evaluation.sweep import SweepPoint

__all__ = ["as_png", "as_svg", "draw_boxes", "draw_sweep"]

COLOURS = ("#3b6fb6", "#d1702f", "#4c9a5a", "#a8518a", "#8a7a3a", "#5b5b66")
INK = "#444444"
LINE_STYLES = ("-", "--", ":", "-.")
TICKS_MS = (12, 50, 200, 800, 3200, 12800)


def as_svg(figure: Figure) -> str:
    """The figure as an <svg> element for a page; the same figure gives the same text."""
    drawn = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "streamsep"}):
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    text = drawn.getvalue()
    return text[text.index("<svg") :]


def as_png(figure: Figure) -> bytes:
    """The figure as the content of a PNG file."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=150)
    return drawn.getvalue()


def draw_boxes(summary: Summary, methods: Sequence[Method]) -> Figure:
    """Boxes over songs: a row for every measure, a column for every stem.

    A box has the quartiles and the median; whiskers reach to the last song within 1.5 times the
    box's height; every song is a dot. With one song or two there is nothing but dots. There must be
    a measure that any song has a figure of.

    Source: "Music Source Separation in the Waveform Domain", figure 2.
    """
    measures = summary.measures
    names = [method.name for method in methods]
    size = (2.6 * len(summary.sources) + 0.8, 2.0 * len(measures) + 0.6)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(
        len(measures), len(summary.sources), sharex=True, sharey="row", squeeze=False
    )
    for row, measure in zip(grid, measures, strict=True):
        for axis, stem in zip(row, summary.sources, strict=True):
            _draw_boxes_of(axis, [summary.values(measure, name, stem) for name in names], names)
        row[0].set_ylabel(f"{measure.label}, dB")
    for axis, stem in zip(grid[0], summary.sources, strict=True):
        axis.set_title(stem, fontsize=11)
    return figure


def draw_sweep(
    points: Sequence[SweepPoint],
    sources: Sequence[str],
    sample_rate: int,
    offline: dict[str, float | None],
) -> Figure:
    """Quality against latency: all stems' mean above, every stem below.

    Args:
        points: what was measured.
        sources: names of the stems.
        sample_rate: samples per second.
        offline: what the network scores on whole files, by stem; a line across.
    """
    figure = Figure(figsize=(9.5, 7.0), layout="constrained")
    panels = figure.subplot_mosaic(
        [[ALL] * len(sources), list(sources)], height_ratios=[1.5, 1], sharex=True
    )
    for stem, axis in panels.items():
        _draw_lines(axis, points, stem, sample_rate)
        if (level := offline[stem]) is not None:
            axis.axhline(level, color=INK, linewidth=1, linestyle=(0, (6, 3)), label="offline")
        axis.set_title("mean of the stems" if stem == ALL else stem, fontsize=11)
        _tidy(axis)
    top = panels[ALL]
    top.set_xscale("log")
    latencies = [_latency_ms(point, sample_rate) for point in points]
    ticks = [tick for tick in TICKS_MS if min(latencies) / 2 <= tick <= 2 * max(latencies)]
    top.set_xticks(ticks, [str(tick) for tick in ticks])
    top.set_xlim(min(latencies) / 1.2, max(latencies) * 1.2)
    top.minorticks_off()
    top.tick_params(labelbottom=True)
    top.set_ylabel(f"{NSDR.label}, dB")
    top.legend(fontsize=8, frameon=False)
    panels[sources[0]].set_ylabel(f"{NSDR.label}, dB")
    figure.supxlabel("latency (hop + look-ahead), ms", fontsize=10)
    return figure


def _draw_boxes_of(axis: Axes, values: list[list[float]], names: list[str]) -> None:
    places = range(1, len(names) + 1)
    for place, scores, colour in zip(places, values, _cycle(COLOURS, len(names)), strict=True):
        if len(scores) > 2:
            drawn = axis.boxplot(
                scores, positions=[place], widths=0.6, patch_artist=True, showfliers=False
            )
            for part in (*drawn["whiskers"], *drawn["caps"], *drawn["medians"]):
                part.set_color(INK)
            for box in drawn["boxes"]:
                box.set(facecolor=colour, alpha=0.35, edgecolor=INK)
        axis.scatter([place] * len(scores), scores, s=9, color=colour, alpha=0.8, linewidths=0)
    axis.set_xticks(list(places), names, rotation=35, ha="right", fontsize=8)
    axis.set_xlim(0.4, len(names) + 0.6)
    _tidy(axis)


def _draw_lines(axis: Axes, points: Sequence[SweepPoint], stem: str, sample_rate: int) -> None:
    """A line per hop and segment; along it the look-ahead grows."""
    hops = sorted({point.tiling.hop for point in points})
    segments = sorted({point.tiling.segment for point in points})
    for hop, colour in zip(hops, _cycle(COLOURS, len(hops)), strict=True):
        for segment, style in zip(segments, _cycle(LINE_STYLES, len(segments)), strict=True):
            known = sorted(
                (_latency_ms(point, sample_rate), score)
                for point in points
                if (point.tiling.hop, point.tiling.segment) == (hop, segment)
                and (score := point.nsdr_db[stem]) is not None
            )
            axis.plot(
                [latency for latency, _ in known],
                [score for _, score in known],
                color=colour,
                linestyle=style,
                marker="o",
                markersize=4,
                label=f"hop {hop}, segment {segment / sample_rate:.1f} s",
            )


def _cycle(choices: tuple[str, ...], count: int) -> list[str]:
    return [choices[index % len(choices)] for index in range(count)]


def _latency_ms(point: SweepPoint, sample_rate: int) -> float:
    return 1000 * point.tiling.latency / sample_rate


def _tidy(axis: Axes) -> None:
    axis.grid(visible=True, axis="y", color="#dddddd", linewidth=0.7)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
