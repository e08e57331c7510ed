"""`streamsep presets`: the latency presets, from the shortest to the longest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamsep.cli.screen import new_table, output, show_json
from streamsep.cli.shared_options import AsJson

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamsep.config import LatencyPreset

__all__ = ["presets"]

SAMPLE_RATE = 44_100
"""What milliseconds are given for; presets themselves are in samples."""


def presets(as_json: AsJson = False) -> None:
    """List the latency presets: how far behind the music the stems come, and what for.

    All lengths are samples at the network's sample rate; milliseconds are for 44.1 kHz. "passes" is
    how many times each sample goes through a network that gets the whole context: the price of a
    short hop.
    """
    from streamsep.config import load_presets

    found = load_presets().values()
    if as_json:
        show_json([_as_dict(preset) for preset in found])
    else:
        _show(found)


def _latency_ms(preset: LatencyPreset) -> float:
    return 1000.0 * preset.latency / SAMPLE_RATE


def _as_dict(preset: LatencyPreset) -> dict[str, object]:
    return {
        **preset.model_dump(),
        "segment": preset.segment,
        "latency": preset.latency,
        "latency_ms": round(_latency_ms(preset), 1),
        "passes": round(preset.passes, 2),
    }


def _show(found: Iterable[LatencyPreset]) -> None:
    headings = ["latency", "ms", "hop", "look-ahead", "context", "crossfade", "passes"]
    numbers = new_table(["preset"], headings)
    uses = new_table(["preset"], last="for")
    for preset in found:
        lengths = [preset.hop, preset.look_ahead, preset.context, preset.crossfade]
        numbers.add_row(
            preset.name,
            str(preset.latency),
            f"{_latency_ms(preset):.0f}",
            *map(str, lengths),
            f"{preset.passes:.1f}",
        )
        uses.add_row(preset.name, preset.use)
    output().print(numbers, uses)
