"""Whether an engine's own preset holds on this machine, and what to say if it does not."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated

import typer

from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.server import Engine

__all__ = ["AllowLate", "check_preset_holds"]

logger = logging.getLogger(__name__)

_TRIES = 3
"""How often a preset that seems too slow is tried again: the machine may have had other things to
do."""

AllowLate = Annotated[
    bool,
    typer.Option(
        "--allow-late",
        help="Go on with a preset that this machine cannot compute in time: live sessions then "
        "hear the delayed mix in place of late stems. Files sent to the engine come whole.",
    ),
]


def check_preset_holds(
    engine: Engine, cache_dir: Path | None, *, exact: bool, precision: str | None = None
) -> None:
    """Refuse a preset that this machine cannot hold, or only warn of it if the engine may be late.

    Args:
        engine: with the preset as its default.
        cache_dir: folder of downloaded networks; `streamsep bench` keeps its figures below it.
        exact: whether every window is computed anew.
        precision: how exactly the network computes; None for as it was made to.

    Raises:
        ConfigError: the device cannot hold it; the message names a preset that it can.
    """
    preset = engine.presets[engine.preset]
    # Nobody is refused by one that may be late: it need not be sure.
    for _ in range(0 if engine.allow_late else _TRIES):
        if engine.load_of(preset) <= engine.MOST_LOAD:
            return
        engine.measure_again()
    load = engine.load_of(preset)
    if load <= engine.MOST_LOAD:
        return
    what = (
        f"'{engine.model}' at preset '{engine.preset}' takes {load:.0%} of a hop's time to compute "
        f"it, at most {engine.MOST_LOAD:.0%} hold"
    )
    if engine.allow_late:
        logger.warning("%s: live sessions will be late", what)
        return
    way_out = _way_out(engine, cache_dir, exact=exact, precision=precision)
    raise ConfigError(f"{what}; {way_out}, or add --allow-late")


def _way_out(engine: Engine, cache_dir: Path | None, *, exact: bool, precision: str | None) -> str:
    from streamsep.cli.device_precision import faster_precision

    able = engine.able_presets()
    ways = [f"take --preset {' or '.join(able)}"] if able else []
    if exact and engine.can_follow:
        ways.insert(0, "take --incremental")
    elif engine.can_follow and (typed := faster_precision(engine.scheduler.device.type, precision)):
        ways.append(f"try {typed}")
    return ", or ".join(ways) or _another_network(engine, cache_dir)


def _another_network(engine: Engine, cache_dir: Path | None) -> str:
    from streamsep.cli.bench_advice import describe, what_held
    from streamsep.measuring.device import device_name

    held = what_held(cache_dir, device_name(engine.scheduler.device))
    if held is None or held.model == engine.model:
        return "end other programs, or take a smaller network ('streamsep bench' finds what holds)"
    what = f"--model {held.model} {describe(held)}"
    return f"take {what}, which held in the last 'streamsep bench'"
