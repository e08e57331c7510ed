"""The files of an evaluation: for people, for spreadsheets, for programs."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from streamsep._version import __version__
from streamsep.evaluation.page import render_page
from streamsep.evaluation.plots import as_png
from streamsep.evaluation.summary import ALL, MEASURES
from streamsep.files.output import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from streamsep.evaluation.methods import Method
    from streamsep.evaluation.report import Report
    from streamsep.evaluation.summary import Summary
    from streamsep.evaluation.sweep import SweepPoint

__all__ = ["write_report"]


def write_report(report: Report, folder: Path) -> list[Path]:
    """Write `results.json`, `.csv`, `.md` and `.html`, and `sweep.csv` and `.png` if there is one.

    Returns:
        The files.

    Raises:
        OutputError: one of them cannot be written.
    """
    contents: dict[str, str | bytes] = {
        "results.csv": _songs_csv(report),
        "results.json": _as_json(report),
        "results.md": _as_markdown(report),
    }
    if report.sweep:
        contents["sweep.csv"] = _sweep_csv(report)
        contents["sweep.png"] = as_png(report.sweep_plot())
    contents["results.html"] = render_page(report)
    for name, content in contents.items():
        write_whole(folder / name, content)
    return [folder / name for name in contents]


def _songs_csv(report: Report) -> str:
    """One row per method, song and stem."""
    keys = [measure.key for measure in MEASURES]
    rows = [
        [method, song, scores.duration_s, stem, *(getattr(figures, k) for k in keys),
         figures.silent_s]
        for method, songs in report.summary.songs.items()
        for song, scores in songs.items()
        for stem, figures in scores.stems.items()
    ]  # fmt: skip
    return _csv(["method", "song", "duration_s", "stem", *keys, "silent_s"], rows)


def _sweep_csv(report: Report) -> str:
    """One row per tiling."""
    stems = (*report.summary.sources, ALL)
    lengths = ("segment", "context", "hop", "look_ahead", "crossfade", "latency")
    rows = [
        [
            *(getattr(point.tiling, name) for name in lengths),
            round(1000 * point.tiling.latency / report.sample_rate, 2),
            None if point.passes is None else round(point.passes, 3),
            *(point.nsdr_db[stem] for stem in stems),
        ]
        for point in report.sweep
    ]
    return _csv([*lengths, "latency_ms", "passes", *(f"{s}_nsdr_db" for s in stems)], rows)


def _csv(headings: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(headings)
    writer.writerows(rows)
    return text.getvalue()


def _as_json(report: Report) -> str:
    document: dict[str, Any] = {
        "program": f"streamsep {__version__}",
        "model": report.model,
        "weights_sha256": report.weights_sha256,
        "sample_rate": report.sample_rate,
        "data": report.data,
        "mixture": "file" if report.mixture_file else "sum",
        **asdict(report.finish),
        "incremental": report.incremental,
        "figures": {method.name: _figures_of(method, report.summary) for method in report.methods},
        "songs": {
            method: [song.model_dump(exclude={"method"}) for song in songs.values()]
            for method, songs in report.summary.songs.items()
        },
        "sweep": [_point(point) for point in report.sweep],
        "failures": list(report.failures),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _figures_of(method: Method, summary: Summary) -> dict[str, Any]:
    """How a method was set, and what it scored over all songs."""
    figures = {
        measure.key: {
            stem: summary.figure(measure, method.name, stem) for stem in (*summary.sources, ALL)
        }
        for measure in MEASURES
    }
    return {"latency": method.latency, "settings": method.facts(), **figures}


def _point(point: SweepPoint) -> dict[str, Any]:
    return {
        "tiling": asdict(point.tiling),
        "latency": point.tiling.latency,
        "passes": point.passes,
        "nsdr_db": point.nsdr_db,
    }


def _as_markdown(report: Report) -> str:
    lines = [f"# {report.title}", ""]
    lines += [f"- {name}: {fact}" for name, fact in report.facts.items()]
    lines += [f"- failed: {failure}" for failure in report.failures]
    for table in report.tables():
        lines += ["", f"## {table.title}", "", f"{table.note[:1].upper()}{table.note[1:]}.", ""]
        lines += ["| " + " | ".join(_cell(text) for text in table.headings) + " |"]
        lines += ["|---" + "|--:" * (len(table.headings) - 1) + "|"]
        lines += ["| " + " | ".join(_cell(text) for text in row) + " |" for row in table.rows]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
