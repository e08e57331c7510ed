"""`streamsep bench`: what this machine can do, network by network and preset by preset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from streamsep.cli.device_precision import PrecisionChoice
from streamsep.cli.shared_options import AsJson, CacheDir, Device, Download
from streamsep.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path

    from streamsep.errors import StreamSepError
    from streamsep.measuring import KeptMeasurements, Measurement

__all__ = ["bench"]

SOME_FAILED = 1

Networks = Annotated[
    list[str] | None,
    typer.Option(
        "-n",
        "--model",
        "--name",
        help="A network, as for 'streamsep separate'. May be given several times.",
        show_default="every one on this machine",
    ),
]
Presets = Annotated[
    list[str] | None,
    typer.Option(
        "-p",
        "--preset",
        metavar="NAME",
        help="A latency preset or its file. May be given several times.",
        show_default="all",
    ),
]
Seconds = Annotated[
    float,
    typer.Option(
        "--seconds",
        metavar="S",
        min=0.1,
        max=3600.0,
        help="Computing that is timed per network and preset, and at least ten hops.",
    ),
]
Incremental = Annotated[
    bool,
    typer.Option(
        "--incremental/--exact",
        help="Keep from hop to hop what a network can keep, or recompute every segment.",
    ),
]
Block = Annotated[
    int,
    typer.Option(
        "--block",
        metavar="SAMPLES",
        min=1,
        max=65_536,
        help="The audio device's block: a term of the declared latency.",
    ),
]


def bench(
    model: Networks = None,
    preset: Presets = None,
    device: Device = "auto",
    seconds: Seconds = 5.0,
    incremental: Incremental = True,
    precision: PrecisionChoice = None,
    block: Block = 256,
    as_json: AsJson = False,
    download: Download = True,
    cache_dir: CacheDir = None,
) -> int:
    """Measure what a live stream costs on this machine, and say which preset to take.

    Warm-up is not counted. A preset holds if computing takes at most 70 % of the time (RTF 0.7) and
    99 of 100 hops are in time; of those that hold, the one with the least latency is recommended.
    The figures are kept: 'doctor' shows them, 'serve' and 'live' use them. Close other programs
    first. Exit code: 0 all measured, 1 some could not be, 2 nothing could.
    """
    from streamsep.cli.bench_advice import kept_measurements
    from streamsep.cli.bench_round import BenchRound
    from streamsep.cli.bench_screen import show_measurements
    from streamsep.cli.loading import choose_device
    from streamsep.config import load_preset, load_presets

    presets = [load_preset(name) for name in preset] if preset else [*load_presets().values()]
    this_round = BenchRound(
        presets,
        choose_device(device),
        seconds=seconds,
        block=block,
        incremental=incremental,
        precision=precision,
        quiet=as_json,
    )
    kept, failures = kept_measurements(cache_dir), this_round.failures
    measurements: list[Measurement] = []
    for name in dict.fromkeys(model or _networks_here(cache_dir)):
        for measured in this_round.measure(name, cache_dir, download=download):
            measurements.append(measured)
            _keep(measured, kept, failures)
    if not measurements:
        raise failures[0]
    show_measurements(measurements, as_json=as_json)
    for failure in failures:
        typer.echo(f"streamsep: {failure}", err=True)
    return SOME_FAILED if failures else 0


def _keep(measured: Measurement, kept: KeptMeasurements, failures: list[StreamSepError]) -> None:
    """Remember it at once: a round may be interrupted. One that cannot be kept is still shown."""
    try:
        kept.keep(measured)
    except OutputError as error:
        if not any(isinstance(each, OutputError) for each in failures):
            failures.append(error)


def _networks_here(cache_dir: Path | None) -> list[str]:
    from streamsep.models import available_models

    return [found.card.name for found in available_models(cache_dir) if found.path]
