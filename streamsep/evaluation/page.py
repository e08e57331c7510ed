"""One HTML page with all results: no scripts, no other files, nothing fetched."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from streamsep.evaluation.plots import as_svg
from streamsep.evaluation.tables import song_table

if TYPE_CHECKING:
    from streamsep.evaluation.report import Report
    from streamsep.evaluation.tables import Table

__all__ = ["render_page"]

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff;
       max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .3rem; }
p.note { color: #666; margin: .2rem 0 .5rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .8rem; text-align: right; border-bottom: 1px solid #e5e5e5; }
th:first-child, td:first-child { text-align: left; }
thead th { border-bottom: 1px solid #888; font-weight: 600; }
dl { display: grid; grid-template-columns: max-content auto; gap: .1rem 1rem; }
dt { color: #666; } dd { margin: 0; }
svg { max-width: 100%; height: auto; }
summary { cursor: pointer; margin-top: 1rem; }
.failed { color: #a02020; }
"""


def render_page(report: Report) -> str:
    """The page as text."""
    facts = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(fact)}</dd>" for name, fact in report.facts.items()
    )
    parts = [
        f"<h1>{escape(report.title)}</h1>",
        f"<dl>{facts}</dl>",
        *(f'<p class="failed">failed: {escape(failure)}</p>' for failure in report.failures),
        *(_table(table) for table in report.tables()),
    ]
    if report.sweep:
        parts.append(as_svg(report.sweep_plot()))
    if report.summary.measures:
        parts += _songs(report)
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{escape(report.title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _songs(report: Report) -> list[str]:
    """Every song as a dot, and its nSDR."""
    return [
        "<h2>Songs</h2>",
        '<p class="note">Boxes: quartiles and median over songs, whiskers to 1.5 times the box; '
        "every song is a dot.</p>",
        as_svg(report.box_plots()),
        *(_details(song_table(report.summary, method.name)) for method in report.judged),
    ]


def _table(table: Table) -> str:
    note = f'<p class="note">{escape(table.note)}</p>'
    return f"<h2>{escape(table.title)}</h2>\n{note}\n{_rows(table)}"


def _details(table: Table) -> str:
    """A long table, folded away."""
    title = f"{escape(table.title)}: {escape(table.note)}"
    return f"<details><summary>{title}</summary>\n{_rows(table)}</details>"


def _rows(table: Table) -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in table.headings)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows
    )
    return f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"
