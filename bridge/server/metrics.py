"""An engine's figures for Prometheus, on a port of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamsep.errors import ConfigError, MissingToolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from prometheus_client.metrics_core import Metric

__all__ = ["serve_metrics"]

_ENGINE = {
    "load": "share of the device's time that is promised to live sessions",
    "memory_mib": "resident memory in MiB",
    "waiting_segments": "segments that wait to be computed",
    "opened": "sessions opened since the start",
    "refused": "sessions refused since the start",
    "broken": "messages that broke the protocol since the start",
}
_SESSION = {
    "late_segments": "segments that were replaced by the mixture",
    "queued_blocks": "blocks that wait to be separated",
    "unanswered": "samples without their stems",
}


def serve_metrics(snapshot: Callable[[], dict[str, Any]], port: int) -> None:
    """Answer Prometheus at http://127.0.0.1:PORT/metrics, in threads of its own.

    Args:
        snapshot: `Telemetry.snapshot`.
        port: of this machine alone.

    Raises:
        MissingToolError: prometheus-client is not installed.
        ConfigError: the port is taken.
    """
    try:
        from prometheus_client import CollectorRegistry, start_http_server
    except ImportError as error:
        raise MissingToolError(
            "figures for Prometheus need the package prometheus-client; install "
            "'streamsep[metrics]'"
        ) from error
    registry = CollectorRegistry()
    registry.register(_Collector(snapshot))
    try:
        start_http_server(port, addr="127.0.0.1", registry=registry)
    except OSError as error:
        raise ConfigError(
            f"cannot serve metrics on port {port}: {error.strerror or error}; choose another"
        ) from error


class _Collector:
    """Turns a snapshot into metrics whenever Prometheus asks."""

    def __init__(self, snapshot: Callable[[], dict[str, Any]]) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterable[Metric]:
        """All metrics at this moment."""
        from prometheus_client.core import GaugeMetricFamily

        state = self._snapshot()
        for name, text in _ENGINE.items():
            yield GaugeMetricFamily(f"streamsep_{name}", text, value=state[name])
        compute = GaugeMetricFamily(
            "streamsep_compute_ms", "milliseconds to compute a segment", labels=["quantile"]
        )
        for quantile, value in state["compute_ms"].items():
            if value is not None:
                compute.add_metric([quantile], value)
        yield compute
        yield GaugeMetricFamily("streamsep_sessions", "open sessions", len(state["sessions"]))
        for name, text in _SESSION.items():
            family = GaugeMetricFamily(f"streamsep_session_{name}", text, labels=["stream"])
            for session in state["sessions"]:
                family.add_metric([session["stream"]], session[name])
            yield family
