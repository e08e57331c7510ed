"""`streamsep status`: what the engine does at this moment."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamsep.cli.engine_address import EngineAddress, KeysFolder, find_engine
from streamsep.cli.screen import new_table, output, show_json
from streamsep.cli.shared_options import AsJson
from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Group

__all__ = ["status"]


def status(
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Go on showing it until interrupted.")
    ] = False,
    as_json: AsJson = False,
    engine: EngineAddress = None,
    keys: KeysFolder = None,
) -> None:
    """Show the engine: its network, load and memory, and every session's latency and lateness."""
    if as_json and watch:
        raise ConfigError("got both --json and --watch, expected one of them")
    from bridge.client import ask_engine

    endpoints, guard = find_engine(engine, keys)

    def ask() -> dict[str, Any]:
        return ask_engine({"request": "status"}, address=endpoints.control, keys=guard)

    if as_json:
        show_json(ask())
    elif not watch:
        output().print(_picture(ask()))
    else:
        from rich.live import Live

        with Live(_picture(ask()), console=output(), auto_refresh=False) as live:
            while True:
                time.sleep(0.5)
                live.update(_picture(ask()), refresh=True)


def _picture(state: dict[str, Any]) -> Group:
    from rich.console import Group

    compute = state["compute_ms"]
    head = (
        f"{state['engine']}, {state['model']} on {state['device']}, preset {state['preset']}, up "
        f"{state['uptime_s']:.0f} s, load {state['load']:.0%}, {state['memory_mib']:.0f} MiB\n"
        f"segments: p50 {_ms(compute['p50'])}, p95 {_ms(compute['p95'])}, "
        f"p99 {_ms(compute['p99'])}; {state['waiting_segments']} waiting"
    )
    table = new_table(
        ["session", "client", "mode", "preset"],
        ["rate", "ch", "latency ms", "RTF", "queued", "late"],
    )
    for each in state["sessions"]:
        table.add_row(
            each["stream"],
            each["client"],
            each["mode"],
            each["preset"],
            str(each["sample_rate"]),
            str(each["channels"]),
            f"{1000 * each['latency'] / each['sample_rate']:.0f}",
            "" if each["rtf"] is None else f"{each['rtf']:.2f}",
            str(each["queued_blocks"]),
            str(each["late_segments"]),
        )
    return Group(head, table if state["sessions"] else "no sessions")


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} ms"
