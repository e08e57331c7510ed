"""`streamsep doctor`: what is installed, what works, and what to do about the rest."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from streamsep.cli.screen import new_table, output, show_json
from streamsep.cli.shared_options import AsJson, CacheDir

if TYPE_CHECKING:
    from streamsep.cli.checks import Finding

__all__ = ["doctor"]

_COLOURS = {"ok": "green", "missing": "yellow", "problem": "red"}


def doctor(cache_dir: CacheDir = None, as_json: AsJson = False) -> None:
    """Look at everything that streamsep can use on this machine, and say what is missing.

    Most of it is optional. The exit code is 1 only if torch or soundfile does not work.
    """
    from streamsep.cli.checks import examine_all

    findings = examine_all(cache_dir)
    works = all(finding.state == "ok" for finding in findings if finding.core)
    if as_json:
        show_json({"works": works, "checks": [asdict(finding) for finding in findings]})
    else:
        _show(findings)
    raise typer.Exit(0 if works else 1)


def _show(findings: list[Finding]) -> None:
    from rich.text import Text

    table = new_table(["check", "state"], last="found")
    for finding in findings:
        advice = f"\n→ {finding.advice}" if finding.advice else ""
        table.add_row(
            finding.name,
            Text(finding.state, _COLOURS[finding.state]),
            Text.assemble(finding.detail, (advice, "dim")),
        )
    output().print(table)
