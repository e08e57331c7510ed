"""`streamsep serve`: the engine that plugins, live loops and scripts get their stems from."""

from __future__ import annotations

import logging
import signal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamsep.cli.screen import CacheDir
from streamsep.cli.separate_options import (
    Consistency,
    Device,
    Download,
    ModelName,
    Refinement,
    RefinementChoice,
)

if TYPE_CHECKING:
    from bridge.server import Engine, EngineServer

__all__ = ["serve"]


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
        Consistency, typer.Option("--consistency", help="Of sessions that name none.")
    ] = Consistency.OFF,
    refine: RefinementChoice = Refinement.OFF,
    incremental: Annotated[
        bool,
        typer.Option(
            "--incremental/--exact",
            help="Keep from hop to hop what Hybrid Demucs has computed: a fraction of the work, "
            "nearly the same stems. Or compute every window anew.",
        ),
    ] = False,
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
            help="Time for computing and transport in the latency of live sessions.",
            show_default="by measurement",
        ),
    ] = None,
    sessions: Annotated[
        int, typer.Option("--sessions", metavar="N", min=1, help="Most sessions at a time.")
    ] = 64,
    metrics_port: Annotated[
        int | None,
        typer.Option("--metrics-port", metavar="PORT", min=1, max=65535, help="For Prometheus."),
    ] = None,
    log_format: Annotated[
        LogFormat, typer.Option("--log-format", help="Of messages on standard error.")
    ] = LogFormat.TEXT,
    lifeline: Annotated[
        bool, typer.Option("--lifeline", hidden=True, help="End when standard input ends.")
    ] = False,
    cache_dir: CacheDir = None,
    download: Download = True,
) -> None:
    """Run the engine: it loads the network once and separates for whoever connects.

    Clients of the same user find it without being told where. It prints READY when it serves, and
    runs until it is interrupted.
    """
    if log_format is LogFormat.JSON:
        _log_as_json()
    if lifeline:
        from bridge.live.lifeline import watch_lifeline

        # Before it serves, the signal ends it at once; afterwards, in order.
        watch_lifeline(lambda: signal.raise_signal(signal.SIGTERM))
    logging.getLogger("bridge").setLevel(logging.INFO)
    from bridge.run_folder import (
        EngineLock,
        default_run_folder,
        ipc_endpoints,
        tcp_endpoints,
    )
    from streamsep.errors import ConfigError

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

    engine = _warm_engine(
        model,
        preset,
        device,
        consistency,
        refine,
        budget_ms,
        cache_dir,
        incremental=incremental,
        download=download,
    )
    server = EngineServer(engine, endpoints, keys=guard, most_sessions=sessions)
    if metrics_port is not None:
        from bridge.server.metrics import serve_metrics

        serve_metrics(server.telemetry.snapshot, metrics_port)
    _run(server, [each.audio for each in endpoints])
    lock.release()


def _warm_engine(
    model: str,
    preset: str,
    device: str,
    consistency: Consistency,
    refine: Refinement,
    budget_ms: float | None,
    cache_dir: Path | None,
    *,
    incremental: bool,
    download: bool,
) -> Engine:
    """Load the network and compute a few segments with it.

    Raises:
        ConfigError: the device cannot hold the preset.
    """
    import torch

    from bridge.server import Engine
    from streamsep.cli.loading import announce_model, choose_device, load_with_progress
    from streamsep.config import load_preset, load_presets
    from streamsep.errors import ConfigError

    chosen = load_preset(preset)
    place = choose_device(device)
    network = load_with_progress(model, device=place, cache_dir=cache_dir, download=download)
    announce_model(network, quiet=False)
    presets = {**load_presets(), chosen.name: chosen}
    engine = Engine(
        network,
        network.name,
        torch.device(place),
        presets=presets,
        preset=chosen.name,
        consistency=consistency.value,
        refinement=refine.value,
        budget_s=None if budget_ms is None else budget_ms / 1000,
        incremental=incremental,
    )
    load = engine.load_of(engine.presets[chosen.name])
    if load > engine.MOST_LOAD:
        engine.stop()
        able = [
            name
            for name, each in engine.presets.items()
            if engine.load_of(each) <= engine.MOST_LOAD
        ]
        advice = f"take --preset {' or '.join(able)}" if able else "take a smaller network"
        if engine.can_follow and not incremental:
            advice = f"take --incremental, or {advice.removeprefix('take ')}"
        raise ConfigError(
            f"'{network.name}' at preset '{chosen.name}' takes {load:.0%} of this device's time, "
            f"at most {engine.MOST_LOAD:.0%} hold; {advice}"
        )
    return engine


def _run(server: EngineServer, addresses: list[str]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: server.stop())

    def ready() -> None:
        typer.echo(f"READY {' '.join(addresses)}")

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
            return json.dumps(entry, ensure_ascii=False)

    for handler in logging.getLogger().handlers:
        handler.setFormatter(AsJson())
