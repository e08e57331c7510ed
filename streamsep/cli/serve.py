"""`streamsep serve`: the engine that plugins, live loops and scripts get their stems from."""

from __future__ import annotations

import logging
import signal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamsep.cli.device_precision import (
    DevicePrecision,
    PrecisionChoice,
    precision_of_weights,
)
from streamsep.cli.serve_refusal import AllowLate, check_preset_holds
from streamsep.cli.shared_options import (
    CacheDir,
    Consistency,
    Device,
    Download,
    ModelName,
    Refinement,
    RefinementChoice,
)

if TYPE_CHECKING:
    from bridge.live.zygote import Heir
    from bridge.server import Engine, EngineServer
    from streamsep.config import LatencyPreset
    from streamsep.models import LoadedModel

__all__ = ["serve"]

logger = logging.getLogger(__name__)


class LogFormat(StrEnum):
    """Values of --log-format."""

    TEXT = "text"
    JSON = "json"


def serve(
    model: ModelName = "auto",
    preset: Annotated[
        str,
        typer.Option("--preset", metavar="NAME", help="Latency preset of sessions that name none."),
    ] = "live",
    device: Device = "auto",
    consistency: Annotated[
        Consistency,
        typer.Option(
            "--consistency",
            help="How stems are made to sum to the mix (see 'streamsep separate'), for sessions "
            "that do not say it.",
        ),
    ] = Consistency.OFF,
    refine: RefinementChoice = Refinement.OFF,
    incremental: Annotated[
        bool | None,
        typer.Option(
            "--incremental/--exact",
            help="Keep from hop to hop what Hybrid Demucs has computed, and compute only what goes "
            "out: nearly the same stems for a third to a half of the work. Or recompute every "
            "segment.",
            show_default="incremental on a CPU",
        ),
    ] = None,
    precision: PrecisionChoice = None,
    bind: Annotated[
        str | None,
        typer.Option(
            "--bind",
            metavar="tcp://HOST:PORT",
            help="Serve here too, and at the two ports after it. Anything but loopback needs keys.",
        ),
    ] = None,
    keys: Annotated[
        Path | None,
        typer.Option("--keys", metavar="FOLDER", help="Keys made by 'streamsep keys'."),
    ] = None,
    budget_ms: Annotated[
        float | None,
        typer.Option(
            "--budget-ms",
            metavar="MS",
            min=1.0,
            max=60_000.0,
            help="Time for computing and transport in the latency of live sessions.",
            show_default="by measurement",
        ),
    ] = None,
    sessions: Annotated[
        int, typer.Option("--sessions", metavar="N", min=1, help="Most sessions at a time.")
    ] = 64,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            "--metrics-port", metavar="PORT", min=1, max=65535, help="Answer Prometheus here."
        ),
    ] = None,
    log_format: Annotated[
        LogFormat, typer.Option("--log-format", help="Of messages on standard error.")
    ] = LogFormat.TEXT,
    allow_late: AllowLate = False,
    remeasure: Annotated[
        bool,
        typer.Option(
            "--remeasure",
            help="Measure the speed of every preset anew, whatever earlier engines have kept.",
        ),
    ] = False,
    lifeline: Annotated[
        bool, typer.Option("--lifeline", hidden=True, help="End when standard input ends.")
    ] = False,
    cache_dir: CacheDir = None,
    download: Download = True,
) -> None:
    """Run the engine: it loads the network once and separates for whoever connects.

    Clients of the same user find it without being told where. It prints READY when it serves, and
    runs until it is interrupted. A preset is refused that takes more than 70 % of a hop's time
    to compute it, see 'streamsep bench'.
    """
    if log_format is LogFormat.JSON:
        _log_as_json()
    for name in ("bridge", __name__):
        logging.getLogger(name).setLevel(logging.INFO)
    from bridge.run_folder import (
        EngineLock,
        default_run_folder,
        ipc_endpoints,
        tcp_endpoints,
    )
    from streamsep.config import load_preset
    from streamsep.errors import ConfigError

    chosen = load_preset(preset)
    endpoints = [ipc_endpoints(default_run_folder())]
    if bind is not None:
        endpoints.append(tcp_endpoints(bind))
        if keys is None:
            endpoints[-1].check_private()
    elif keys is not None:
        raise ConfigError("--keys guards an address of the network; name one with --bind")
    from bridge.keys import EngineKeys

    guard = None if keys is None else EngineKeys.load(keys)
    lock = EngineLock(default_run_folder())
    from bridge.server import EngineServer

    network, heir = _load_network(
        model,
        device,
        cache_dir,
        precision=precision,
        download=download,
        forked_on_a_lifeline=lifeline,
    )
    engine = _warm_engine(
        network,
        chosen,
        consistency,
        refine,
        budget_ms,
        heir,
        cache_dir,
        incremental=incremental,
        allow_late=allow_late,
        precision=precision,
        remeasure=remeasure,
    )
    server = EngineServer(engine, endpoints, keys=guard, most_sessions=sessions)
    if metrics_port is not None:
        from bridge.server.metrics import serve_metrics

        serve_metrics(server.telemetry.snapshot, metrics_port)
    _run(server, engine, [each.audio for each in endpoints], heir)
    lock.release()


def _load_network(
    model: str,
    device: str,
    cache_dir: Path | None,
    *,
    precision: DevicePrecision | None,
    download: bool,
    forked_on_a_lifeline: bool,
) -> tuple[LoadedModel, Heir | None]:
    """Load the network; on a lifeline in a zygote, where there can be one.

    A GPU's driver does not survive a fork.

    Raises:
        ConfigError: a processor does not have the precision.
    """
    from bridge.live.zygote import can_fork, fork_engines
    from bridge.processes.lifeline import watch_lifeline
    from streamsep.cli.loading import announce_model, choose_device, load_with_progress
    from streamsep.devices.allocator import keep_freed_memory

    keep_freed_memory()  # before weights are tuned, which ends it until they have their last place
    place = choose_device(device)
    of_weights = precision_of_weights(precision, place)

    def load() -> LoadedModel:
        network = load_with_progress(
            model, device=place, cache_dir=cache_dir, precision=of_weights, download=download
        )
        announce_model(network, quiet=False)
        return network

    def stop() -> None:
        # Before it serves, the signal ends it at once; afterwards, in order.
        signal.raise_signal(signal.SIGTERM)

    if not forked_on_a_lifeline:
        return load(), None
    if place != "cpu" or not can_fork():
        watch_lifeline(stop)
        return load(), None
    found = fork_engines(load)
    watch_lifeline(stop)
    return found


def _warm_engine(
    network: LoadedModel,
    chosen: LatencyPreset,
    consistency: Consistency,
    refine: Refinement,
    budget_ms: float | None,
    heir: Heir | None,
    cache_dir: Path | None,
    *,
    incremental: bool | None,
    allow_late: bool,
    precision: DevicePrecision | None,
    remeasure: bool,
) -> Engine:
    """Compute a few hops with the network, fewer if an engine like this one did.

    Raises:
        ConfigError: the device cannot hold the preset.
    """
    import torch

    from bridge.server import Engine
    from bridge.server.measurements import read_legacy
    from streamsep.cli.engine_costs import engine_costs
    from streamsep.config import load_presets
    from streamsep.devices.following import follows_streams
    from streamsep.errors import ConfigError

    presets = {**load_presets(), chosen.name: chosen}
    device = torch.device(network.device)
    exactly = None if precision is None else precision.value
    of_weights = precision_of_weights(precision, device.type)
    followed = follows_streams(device.type, incremental)
    engine = Engine(
        network,
        network.name,
        device,
        presets=presets,
        preset=chosen.name,
        consistency=consistency.value,
        refinement=refine.value,
        budget_s=None if budget_ms is None else budget_ms / 1000,
        incremental=followed,
        kept=engine_costs(network, cache_dir, precision=exactly, anew=remeasure),
        legacy=read_legacy(heir.legacy) if heir is not None and heir.legacy else (),
        allow_late=allow_late,
        precision=exactly if of_weights is None else None,
    )
    try:
        check_preset_holds(engine, cache_dir, exact=not followed, precision=exactly)
    except ConfigError:
        engine.stop()
        raise
    logger.info(
        "preset '%s': %s", chosen.name, engine.measurements.describe(engine.presets[chosen.name])
    )
    return engine


def _run(server: EngineServer, engine: Engine, addresses: list[str], heir: Heir | None) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: server.stop())

    def ready() -> None:
        typer.echo(f"READY {' '.join(addresses)}")
        if heir is not None:
            heir.hand_on(engine.measurements.to_json())

    server.run(ready)


def _log_as_json() -> None:
    """One JSON object a line in place of text."""
    import json

    class AsJson(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            entry = {
                "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
                "level": record.levelname,
                "source": record.name,
                "message": record.getMessage(),
            }
            return json.dumps(entry)

    for handler in logging.getLogger().handlers:
        handler.setFormatter(AsJson())
