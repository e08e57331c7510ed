"""The outcome of `streamsep bench`, as a table or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamsep.cli.bench_advice import advise
from streamsep.cli.screen import new_table, output, show_json
from streamsep.measuring import recommended_of_each

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from streamsep.measuring import Measurement

__all__ = ["show_measurements"]

# Broken in two where a terminal of 80 columns would not have room.
_HEADINGS = ("latency\nms", "hop\nms", "RTF", "p50", "p95", "p99", "max", "MiB", "ses-\nsions")


def show_measurements(measurements: Sequence[Measurement], *, as_json: bool) -> None:
    """Print measurements, at least one, all of one machine and device."""
    if as_json:
        show_json(_as_dict(measurements))
    else:
        _show(measurements)


def _as_dict(measurements: Sequence[Measurement]) -> dict[str, Any]:
    best = recommended_of_each(measurements)
    return {
        "machine": measurements[0].machine.model_dump(),
        "device": measurements[0].device,
        "threads": measurements[0].threads,
        "measurements": [
            {
                **each.model_dump(mode="json", exclude={"machine", "device", "threads"}),
                "hop_ms": each.hop_ms,
                "latency": each.latency,
                "latency_ms": each.latency_ms,
                "holds": each.holds,
            }
            for each in measurements
        ],
        "recommended": {model: one.preset if one else None for model, one in best.items()},
    }


def _show(measurements: Sequence[Measurement]) -> None:
    first = measurements[0]
    machine = first.machine
    output().print(
        f"{machine.processor}, {machine.cores} cores; {first.device}, {first.threads} threads; "
        f"torch {machine.torch}"
    )
    for model in dict.fromkeys(each.model for each in measurements):
        own = [each for each in measurements if each.model == model]
        way = "incremental" if own[0].incremental else "exact"
        if own[0].precision is not None:
            way += f", {own[0].precision}"
        output().print(f"\n{model}, {way}; times to compute a hop in ms")
        output().print(_table(own))
        output().print(f"{model}: {advise(model, measurements)}", soft_wrap=True)


def _table(measurements: Sequence[Measurement]) -> Table:
    table = new_table(["preset"], _HEADINGS, last="holds")
    table.padding = (0, 1, 0, 0)
    for each in measurements:
        table.add_row(each.preset, *_figures(each), _verdict(each))
    return table


def _figures(each: Measurement) -> list[str]:
    times_ms = (each.p50_ms, each.p95_ms, each.p99_ms, each.max_ms)
    return [
        f"{each.latency_ms:.0f}",
        f"{each.hop_ms:.0f}",
        f"{each.rtf:.2f}",
        *(f"{time_ms:.0f}" if time_ms >= 10 else f"{time_ms:.1f}" for time_ms in times_ms),
        f"{each.memory_mib:.0f}",
        str(each.sessions),
    ]


def _verdict(each: Measurement) -> str:
    if not each.playable:
        return "no fade"
    return "yes" if each.holds else "no"
